"""What this host has decided: the committed release, the trial, what is parked. Docker and the edge say what is so."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import HostctlError
from .files import read_json, write_json
from .redact import Redactor

if TYPE_CHECKING:
    from pathlib import Path

STARTING = "starting"
STARTED = "started"
"""The containers run; whether they are ready is asked by the next call."""
ANSWERING = "answering"
"""Every replica has answered ready once, and the trial routes lead there; several times in a row is yet to come."""
READY = "ready"
SHIFT = "shift"
CUTOVER = "cutover"
REVERTING = "reverting"


@dataclass(frozen=True)
class Trial:
    """A candidate that is not committed: it goes when nobody confirms it before `deadline` (seconds since boot)."""

    release: str
    phase: str
    weight: int
    was_parked: bool
    deadline: float
    boot_id: str
    confirm_timeout_seconds: float
    started_at: str
    reason: str = ""
    waits_for_workers: bool = False
    """Whether its workers, kept since it was parked, are still to be started, with the cutover."""
    return_reason: str = ""
    """Why the release that is current is taken back for this one, the previous one; empty in any other trial."""

    @property
    def is_return(self) -> bool:
        """Return whether this is a way back after a commit, which is finished and not reverted."""
        return bool(self.return_reason) and self.phase != REVERTING


@dataclass(frozen=True)
class Retiring:
    """The release that was current before the last commit and is not parked yet."""

    release: str
    since: float
    boot_id: str


@dataclass(frozen=True)
class State:
    """The whole of it; `parked` is oldest first."""

    current: str | None = None
    previous: str | None = None
    trial: Trial | None = None
    retiring: Retiring | None = None
    parked: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    last_trial: dict[str, Any] | None = None
    anchor: dict[str, Any] | None = None
    left: tuple[str, ...] = ()
    """Reverted candidates whose stopped containers Docker would not remove: that is tried again."""

    def with_(self, **changes: Any) -> State:
        """Return a changed copy."""
        return dataclasses.replace(self, **changes)

    def park(self, release: str) -> State:
        """Return a copy in which `release` is the release parked last."""
        return self.with_(parked=(*(other for other in self.parked if other != release), release))

    def unpark(self, release: str) -> State:
        """Return a copy in which `release` is not parked."""
        return self.with_(parked=tuple(other for other in self.parked if other != release))

    @property
    def known(self) -> set[str]:
        """Return every release that has a place here."""
        named = {
            self.current,
            self.previous,
            self.trial.release if self.trial else None,
            self.retiring.release if self.retiring else None,
        }
        return {release for release in (*named, *self.parked) if release}


class OtherVersionError(HostctlError):
    """The state has what only another version of this program knows."""


class StateStore:
    """Keeps the state in a file that is whole at any time."""

    def __init__(self, path: Path, redactor: Redactor | None = None) -> None:
        """Keep it at `path`, reasons without secrets."""
        self._path = path
        self._redactor = redactor or Redactor()

    def load(self) -> State:
        """Return the state; an empty one on a new host. Raise `OtherVersionError` for what this version cannot know."""
        value = read_json(self._path)
        if value is None:
            return State()
        trial, retiring = value.pop("trial", None), value.pop("retiring", None)
        lists = {name: tuple(value.get(name, ())) for name in ("parked", "pinned", "left")}
        try:
            return State(
                **{**value, **lists},
                trial=Trial(**trial) if trial else None,
                retiring=Retiring(**retiring) if retiring else None,
            )
        except TypeError as error:
            raise OtherVersionError("state_unreadable", f"another hostctl wrote {self._path}: {error}") from None

    def save(self, state: State) -> None:
        """Replace the state."""
        value = dataclasses.asdict(state)
        for part in (value["trial"], value["last_trial"]):
            for name in ("reason", "return_reason"):
                if part and part.get(name):
                    part[name] = self._redactor.text(part[name])
        write_json(self._path, value)
