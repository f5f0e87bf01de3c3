"""`audit`: the whole journal looked through: is its chain whole, who came, what was committed, what was taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..chain import HASH, NUMBER, last_position, problems
from ..journal import read_journal, rotated

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

MOST_PROBLEMS = 20
SHOWN = ("at", NUMBER, HASH, "release", "reason", "holder", "purpose", "anchor")
AUTOMATIC = {("watchdog", "reverting"), ("converge", "reverting")}


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return the state of the chain, its hash at the `positions` that were asked for, and what an audit needs."""
    positions = set(fields.integers("positions", optional=True, least=1))
    fields.done()
    entries = read_journal(host.paths.journal)
    last = last_position(entries)
    return {
        "first": entries[0].get(NUMBER, 0) if entries else 0,
        "installed_at": _installed(entries),
        "is_rotated": rotated(host.paths.journal).exists(),
        "last": {"seq": last.seq, "hash": last.hash},
        "problems": list(problems(entries))[:MOST_PROBLEMS],
        "positions": {str(e[NUMBER]): e.get(HASH, "") for e in entries if e.get(NUMBER) in positions},
        "leases": _shown(entries, {("lease", "acquired")}),
        "anchors": _shown(entries, {("commit", "anchor")}),
        "reverts": _reverts(entries),
    }


def _installed(entries: list[dict[str, Any]]) -> str | None:
    """Return when the host was set up, if the journal begins with that: it has nothing to say of what was before."""
    first = entries[0] if entries else {}
    is_new = first.get(NUMBER) == 1 and (first.get("phase"), first.get("step")) == ("install", "installed")
    return str(first.get("at")) if is_new else None


def _shown(entries: list[dict[str, Any]], steps: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the notes of some steps, each with the hash before it."""
    found, before = [], ""
    for entry in entries:
        if (entry.get("phase"), entry.get("step")) in steps and entry.get("mark") == "note":
            found.append({**{name: entry[name] for name in SHOWN if name in entry}, "previous_hash": before})
        before = str(entry.get(HASH, ""))
    return found


def _reverts(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the reverts that this host made by itself; one that was interrupted and went on is one."""
    found: list[dict[str, Any]] = []
    for row in _shown(entries, AUTOMATIC):
        again = found and (found[-1].get("release"), found[-1].get("reason")) == (row.get("release"), row.get("reason"))
        if not again:
            found.append(row)
    return found
