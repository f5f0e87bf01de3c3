"""The outbox of a stack: one file per notice and channel, kept until it is delivered, without address or key.

A mark beside them says that a run had an outcome, also one that no channel wanted to know of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.domain.notices.notice import OUTCOMES, Event, Notice
from infra.domain.run_ids import are_same_run
from infra.paths import CACHE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

State = Literal["pending", "delivered", "refused"]
STATES: tuple[State, ...] = ("pending", "refused", "delivered")
UNREADABLE = "unreadable"
KEPT_DELIVERED = 100
KEPT_MARKS = 100
BAD_OUTCOMES: frozenset[Event] = frozenset({"failed", "reverted"})


def lock_name(run_id: str) -> str:
    """Return the lock that the sender beside a run holds, or one that stands beside none."""
    return f"run-{run_id}" if run_id else "sender"


class _Stored(BaseModel):
    """A letter as its file has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notice: Notice
    attempts: int = 0
    not_before: float = 0.0
    last_error: str = ""
    ended_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One notice for one channel; `not_before` is a Unix time that the receiver asked to wait for."""

    channel: str
    state: State
    notice: Notice
    path: Path
    attempts: int = 0
    not_before: float = 0.0
    last_error: str = ""
    ended_at: str = ""


class Outbox:
    """The letters of one stack, by channel and state."""

    def __init__(self, folder: Path) -> None:
        """Describe the outbox in `folder`; nothing is made before the first letter."""
        self.folder = folder

    @classmethod
    def of(cls, stack: str) -> Outbox:
        """Return the outbox of a stack of this checkout."""
        return cls(CACHE_FOLDER / "outbox" / stack)

    def put(self, notice: Notice, channel: str) -> bool:
        """Keep a letter; return False when this channel was given the same notice before, also by another process."""
        name = f"{notice.at.replace(':', '')}-{notice.id}.json"
        path = self._path(channel, "pending", name)
        with self._alone(channel):
            if any(self._glob(channel, "*", f"*-{notice.id}.json")):
                return False
            self._write(Letter(channel=channel, state="pending", notice=notice, path=path))
        return True

    def channels(self) -> list[str]:
        """Return the channels that letters were ever for."""
        return sorted(path.name for path in self.folder.glob("*") if path.is_dir())

    def letters(self, channel: str, state: State) -> list[Letter]:
        """Return a channel's letters in one state, the oldest first; a file that is none is put aside."""
        found = (self._read(path, channel, state) for path in sorted(self._glob(channel, state, "*.json")))
        return [letter for letter in found if letter is not None]

    def all_letters(self) -> list[Letter]:
        """Return every letter, the oldest notice first."""
        found = [letter for channel in self.channels() for state in STATES for letter in self.letters(channel, state)]
        return sorted(found, key=lambda letter: (letter.notice.at, letter.channel))

    def mark_outcome(self, run_id: str, release: str) -> None:
        """Keep that a run's release has an outcome, whoever wants to know of it; of the marks the newest are kept."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._mark(run_id, release).touch(mode=0o600)
        with contextlib.suppress(FileNotFoundError):  # another process cleans up at this moment
            for old in sorted(self.folder.glob("outcome-*"), key=lambda path: path.stat().st_mtime_ns)[:-KEPT_MARKS]:
                old.unlink(missing_ok=True)

    def has_outcome(self, run_id: str, release: str) -> bool:
        """Return whether a run's release has an outcome, or people were told of one for this run."""
        return self._mark(run_id, release).exists() or self.told(run_id)

    def told(self, run_id: str) -> bool:
        """Return whether an outcome of an update was put here already, or of any in a CI run's attempt."""
        return bool(self._outcomes(run_id))

    def failure_told(self, run_id: str) -> bool:
        """Return whether those who were told of a run know already that it ended badly.

        The last word counts: a failure, or a rollback that took back what came before it in the same run. After a
        success, or a rollback that is all that was asked for, a failure is news.
        """
        told = self._outcomes(run_id)
        before = set(told) - {"rolled-back"}
        return bool(told) and (told[-1] in BAD_OUTCOMES or (told[-1] == "rolled-back" and bool(before)))

    def note(self, letter: Letter, error: str, not_before: float) -> None:
        """Keep why an attempt failed and until when the receiver wants to be left alone."""
        self._write(dataclasses.replace(letter, last_error=error, not_before=not_before))

    def close(self, letter: Letter, state: State, error: str, at: str) -> None:
        """Move a letter to what became of it; of the delivered ones the newest are kept."""
        self._move(dataclasses.replace(letter, last_error=error, ended_at=at), state)
        for old in sorted(self._glob(letter.channel, "delivered", "*.json"))[:-KEPT_DELIVERED]:
            old.unlink(missing_ok=True)

    def reopen(self, letter: Letter) -> None:
        """Let a refused letter be tried again."""
        self._move(dataclasses.replace(letter, attempts=0, not_before=0.0, last_error="", ended_at=""), "pending")

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        """Hold the lock `name` for the length of the context; yield False when somebody else has it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f"{name}.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def is_locked(self, name: str) -> bool:
        """Return whether somebody holds the lock `name`."""
        try:
            with (self.folder / f"{name}.lock").open() as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def forget_lock(self, name: str) -> None:
        """Remove the file of a lock that nobody will ask for again; its holder calls this."""
        (self.folder / f"{name}.lock").unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self, channel: str) -> Iterator[None]:
        """Wait until no other process puts or moves a letter of the channel, and be the one that does."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f"{channel}-letters.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _outcomes(self, run_id: str) -> list[Event]:
        """Return the outcomes that were told of a run, the oldest first; what a channel refused was not told."""
        return [
            letter.notice.event
            for letter in self.all_letters()
            if letter.state != "refused"
            and letter.notice.event in OUTCOMES
            and are_same_run(letter.notice.run_id, run_id)
        ]

    def _move(self, letter: Letter, state: State) -> None:
        """Write the letter under its new state, then remove the old file: in between it is in the later state."""
        moved = dataclasses.replace(letter, state=state, path=self._path(letter.channel, state, letter.path.name))
        with self._alone(letter.channel):
            self._write(moved)
            letter.path.unlink(missing_ok=True)

    def _write(self, letter: Letter) -> None:
        """Write a letter so that a reader finds the whole of it or nothing."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        letter.path.parent.mkdir(parents=True, exist_ok=True)
        stored = _Stored(
            notice=letter.notice,
            attempts=letter.attempts,
            not_before=letter.not_before,
            last_error=letter.last_error,
            ended_at=letter.ended_at,
        )
        temporary = letter.path.with_suffix(f".{os.getpid()}.tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(stored.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(letter.path)

    def _read(self, path: Path, channel: str, state: State) -> Letter | None:
        """Return the letter in a file, None when it is gone or was put aside because it does not validate."""
        if state == "pending" and any(self._path(channel, done, path.name).exists() for done in STATES[1:]):
            path.unlink(missing_ok=True)
            return None
        try:
            stored = _Stored.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValidationError, UnicodeDecodeError):
            aside = self._path(channel, UNREADABLE, path.name)
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside)
            return None
        return Letter(
            channel=channel,
            state=state,
            path=path,
            notice=stored.notice,
            attempts=stored.attempts,
            not_before=stored.not_before,
            last_error=stored.last_error,
            ended_at=stored.ended_at,
        )

    def _mark(self, run_id: str, release: str) -> Path:
        return self.folder / f"outcome-{run_id}-{release}"

    def _glob(self, channel: str, state: str, pattern: str) -> Iterator[Path]:
        return (self.folder / channel).glob(f"{state}/{pattern}")

    def _path(self, channel: str, state: str, name: str) -> Path:
        return self.folder / channel / state / name
