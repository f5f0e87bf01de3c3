"""The lab as a step of set-up: its base images are made while the tools are still being built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain.process import do
from infra.toolchain.step import State

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

LAB_SECONDS = 2400


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStep:
    """Runs `acp-release lab up`, which itself does only what is to be done."""

    places: Places
    name: str = "lab"
    needs_root: bool = False

    def state(self) -> State:
        """Tell that the lab's own command knows: it has to look at every part anyway."""
        return State(ready=False, detail="`acp-release lab status` tells", mend="make up")

    def apply(self, progress: Progress) -> None:
        """Bring the lab up."""
        with progress.work(self.name, "acp-release lab up"):
            do(
                [str(self.places.bin / "acp-release"), "lab", "up"],
                timeout_seconds=LAB_SECONDS,
                log=self.places.logs / "lab.log",
                cwd=self.places.checkout,
                mend="see the lab's message above, then run this again: it goes on",
            )
