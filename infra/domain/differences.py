"""Where the record of a stack and its hosts say different things, in words, each with its mend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

STACK = "--stack STACK"
"""Stands for the stack in a mend that was written where its name is not known, as on a host."""
GO_ON = (
    f"`pulumi up {STACK}`: an update that failed or was cut off after its commit is recorded, else what the stack"
    " wants is released"
)
ON_TRIAL = (
    f"wait: a trial that nobody confirms is reverted by the host; `acp-release status --repair {STACK}` ends it at once"
)
ANOTHER_DIGEST = (
    f"find out who changed the host; `acp-release rollback {STACK}` or a new release brings recorded images back"
)
REACH = 'is the host up and its sshd reachable? docs/runbook.md, "A host is lost"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: on which host, what, and what puts it right."""

    host: str
    what: str
    mend: str

    def to_json(self) -> dict[str, str]:
        """Return it as `--json` prints it."""
        return {"host": self.host, "what": self.what, "mend": self.mend}


def find_differences(
    stack: str, entry: Mapping[str, Any], hosts: Sequence[Mapping[str, Any]], recorded: Collection[str] = ()
) -> list[Difference]:
    """Return what the hosts do otherwise than the record of `stack` says: `entry`, and `recorded` other releases."""
    found = [difference for host in hosts for difference in _of_host(entry, host, recorded)]
    return [replace(difference, mend=difference.mend.replace(STACK, f"--stack {stack}")) for difference in found]


def _of_host(entry: Mapping[str, Any], host: Mapping[str, Any], recorded: Collection[str]) -> list[Difference]:
    name, release = str(host["host"]), entry.get("release")
    if host.get("error"):
        return [Difference(host=name, what=str(host["error"]), mend=str(host.get("mend") or REACH))]
    found = []
    if host["serving"] != release:
        what = f"it serves {host['serving'] or 'nothing'}, the record says {release or 'nothing'}"
        found.append(Difference(host=name, what=what, mend=_record_mend(entry, host, recorded)))
    elif release:
        found += _foreign_images(name, entry.get("images") or {}, host["containers"].get(release, ()))
    if host["candidate"]:
        what = f"a candidate is on trial: {host['candidate']} ({host['phase']})"
        found.append(Difference(host=name, what=what, mend=ON_TRIAL))
    return found + [Difference(host=name, what=drift["what"], mend=drift["mend"]) for drift in host["drift"]]


def _record_mend(entry: Mapping[str, Any], host: Mapping[str, Any], recorded: Collection[str]) -> str:
    """Return how record and host come together: a rollback that was cut off, or left the host out, is repeated."""
    serving, release = host["serving"], entry.get("release")
    if host["host"] not in entry.get("hosts", {host["host"]: ""}):
        return f"`acp-release rollback --to {release} {STACK} --yes` brings it to what the other hosts serve"
    if serving in recorded:
        again = f"`acp-release rollback --to {serving} {STACK} --yes`"
        return f"{again} records what serves; from there, release what you want"
    return GO_ON


def _foreign_images(host: str, images: Mapping[str, str], containers: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Return the containers of the release whose image is not one of the record's digests."""
    recorded = set(images.values())
    return [
        Difference(
            host=host, what=f"{container['name']} runs {container['image']}, which the record does not have",
            mend=ANOTHER_DIGEST,
        )
        for container in containers
        if recorded and container["image"] not in recorded
    ]  # fmt: skip
