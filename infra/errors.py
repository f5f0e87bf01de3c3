"""Every error of this program, its exit code, and who raises it.

ReleaseError                1   base: what went wrong, where, and the mend; shown without a traceback
├── UsageError              2   a command line that cannot be meant
├── SettingsError          10   a stack file, inventory or environment that does not validate; all problems at once
│   └── SecretMissingError 11   secrets that the stack needs and the environment lacks; all names at once
├── HostError              20   a host answered with an error
│   ├── HostUnreachableError 21 no SSH connection to a host
│   ├── HostKeyError       22   a host showed another key than the pinned one
│   ├── LeaseHeldError     23   somebody else is releasing to this host
│   └── CandidateError     24   the candidate did not start or did not get ready
├── RegistryError          30   the registry refused, or is down
│   └── ImageMissingError  31   a tag or digest that is not in the registry
├── GateError              40   the gate blocked the release
├── CheckError             50   a check judged the release bad
├── RolloutError           60   the rollout was reverted; see its `restored`
├── ToolError              70   a program on this machine is missing, failed or ran out of time
└── UnreadableHistoryError 80   the history in a stack's state is not what this program wrote

In a process of the Pulumi engine the base derives from ``pulumi.RunError``, which is printed as a message instead of a
traceback. Elsewhere nobody asks for that, and to load Pulumi takes longer than most of what `acp-release` does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulumi import RunError
else:
    RunError = getattr(sys.modules.get("pulumi"), "RunError", Exception)


class ReleaseError(RunError):
    """An error that says what went wrong, where, and how to mend it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        """Keep the three parts and join them into one message."""
        self.what = what
        self.where = where
        self.mend = mend
        lines = [what]
        if where:
            lines.append(f"  where: {where}")
        if mend:
            lines.append(f"  mend:  {mend}")
        super().__init__("\n".join(lines))

    def to_json(self) -> dict[str, object]:
        """Return the error as `--json` prints it."""
        return {
            "error": type(self).__name__,
            "exit_code": self.exit_code,
            "what": self.what,
            "where": self.where,
            "mend": self.mend,
        }


class UsageError(ReleaseError):
    """A command line that cannot be meant."""

    exit_code = 2


class SettingsError(ReleaseError):
    """Input that does not validate; carries every problem found, each with its path."""

    exit_code = 10

    def __init__(self, source: str, problems: Sequence[str], *, mend: str = "") -> None:
        """List all `problems` of one `source`."""
        self.problems = tuple(problems)
        noun = "problem" if len(self.problems) == 1 else "problems"
        text = "\n".join(f"  - {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} {noun} in {source}:\n{text}", mend=mend)


class SecretMissingError(SettingsError):
    """Secrets that the stack needs and the environment lacks."""

    exit_code = 11


class HostError(ReleaseError):
    """A host answered with an error."""

    exit_code = 20


class HostUnreachableError(HostError):
    """No SSH connection to a host."""

    exit_code = 21


class HostKeyError(HostError):
    """A host showed another key than the pinned one."""

    exit_code = 22


class LeaseHeldError(HostError):
    """Somebody else is releasing to this host."""

    exit_code = 23


class CandidateError(HostError):
    """The candidate did not start or did not get ready; it was removed and the current release serves."""

    exit_code = 24


class RegistryError(ReleaseError):
    """The registry refused, or is down."""

    exit_code = 30


class ImageMissingError(RegistryError):
    """A tag or digest that is not in the registry."""

    exit_code = 31


class GateError(ReleaseError):
    """The gate blocked the release before any host was touched."""

    exit_code = 40


class CheckError(ReleaseError):
    """A check judged the release bad."""

    exit_code = 50


class RolloutError(ReleaseError):
    """The rollout was reverted; `restored` says whether the previous release was seen to serve again.

    `reason` is why, without what was done about it; `restored` the release that serves again, empty when it is unknown.
    """

    exit_code = 60

    def __init__(self, what: str, *, where: str = "", mend: str = "", reason: str = "", restored: str = "") -> None:
        """Keep what a notice tells of the revert."""
        super().__init__(what, where=where, mend=mend)
        self.reason = reason
        self.restored = restored


class ToolError(ReleaseError):
    """A program on this machine is missing, failed or ran out of time."""

    exit_code = 70


class UnreadableHistoryError(ReleaseError):
    """The history in a stack's state is not what this program writes."""

    exit_code = 80
