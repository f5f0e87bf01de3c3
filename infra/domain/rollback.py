"""Which release a rollback goes back to, and why: the history is a stack, a rollback takes releases off it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MESSAGE = re.compile(r"^Roll back to (?P<release>\S+) \((?P<who>[^)@]*)@?[^)]*\)$")


def rollback_message(release: str, who: str) -> str:
    """Return the message of the update that goes back to `release`."""
    return f"Roll back to {release} ({who})"


def read_message(message: str) -> dict[str, str]:
    """Return `release` and `who` of a rollback's message, nothing for any other."""
    found = MESSAGE.match(message)
    return {**found.groupdict(), "kind": "rollback"} if found else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The release to go back to and the reason in words."""

    entry: Mapping[str, Any]
    why: str


def standing(history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the releases that no rollback took off, the oldest first; `history` has the newest first."""
    stack: list[Mapping[str, Any]] = []
    for entry in reversed(history):
        if entry.get("kind") == "rollback":
            names = [earlier["release"] for earlier in stack]
            if entry["release"] in names:
                del stack[len(names) - names[::-1].index(entry["release"]) :]  # it stood last there, if more than once
                continue
        stack.append(entry)
    return stack


def default_target(history: Sequence[Mapping[str, Any]]) -> Target | None:
    """Return the last release that was verified and serving before the current one, or nothing.

    After a rollback this is the one before the target of that rollback, not the release it undid: asking twice goes
    back twice.
    """
    if not history:
        return None
    current = history[0]["release"]
    earlier = [entry for entry in standing(history) if entry["release"] != current]
    if not earlier:
        return None
    why = f"the last release that served before {current}"
    if history[0].get("kind") == "rollback":
        why += f", which was itself a rollback from {history[0].get('replaced')}"
    return Target(entry=earlier[-1], why=why)
