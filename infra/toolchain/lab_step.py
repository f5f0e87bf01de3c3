"""The lab as a step of set-up: its base images are made while the tools are still being built."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.toolchain.go_tools import all_tools
from infra.toolchain.process import do
from infra.toolchain.step import State

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

LAB_SECONDS = 2400
USES = ("trivy-database",)  # the tools among ours that `acp-release lab up` runs


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
        """Bring up what the lab uses, then the lab."""
        for tool in all_tools(self.places):
            if tool.tool.name in USES:
                tool.apply(progress)
                tool.link()
        path = f"{self.places.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        with progress.work(self.name, "acp-release lab up"):
            do(
                [str(self.places.bin / "acp-release"), "lab", "up"],
                timeout_seconds=LAB_SECONDS,
                log=self.places.logs / "lab.log",
                env={**os.environ, "PATH": path, "VIRTUAL_ENV": str(self.places.venv)},
                cwd=self.places.checkout,
                mend="see the lab's message above, then run this again: it goes on",
            )
