"""What can go wrong while a machine is set up."""

from __future__ import annotations

EXIT_READY = 0
EXIT_USAGE = 2
EXIT_NOT_READY = 70  # the exit code of `infra.errors.ToolError`, which cannot be imported before the venv exists


class SetupError(Exception):
    """A step of the set-up that cannot go on; `mend` is what the user does about it."""

    def __init__(self, what: str, *, mend: str = "") -> None:
        """Join the two parts into one message."""
        self.what = what
        self.mend = mend
        super().__init__(f"{what}\n  mend:  {mend}" if mend else what)
