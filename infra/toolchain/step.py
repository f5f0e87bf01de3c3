"""The shape of one prerequisite: it can tell its state, and it can bring itself about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whether a prerequisite is met, what was found, and the mend when it is not."""

    ready: bool
    detail: str
    mend: str = ""


class Step(Protocol):
    """One prerequisite."""

    @property
    def name(self) -> str:
        """Return the name that `doctor` and the progress lines show."""

    @property
    def needs_root(self) -> bool:
        """Tell whether bringing it about changes the system, which only root may."""

    def state(self) -> State:
        """Look, quickly and without changing anything."""

    def apply(self, progress: Progress) -> None:
        """Bring it about; raise `SetupError` when that is not possible. Safe to repeat after any interruption."""
