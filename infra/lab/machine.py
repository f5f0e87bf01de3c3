"""A lab host as a machine that can be switched off, hung and looked into; what fault tests and people use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.errors import HostError, ToolError
from infra.lab.docker import docker
from infra.lab.folder import read_memory
from infra.lab.hosts import SHUTDOWN_SECONDS, UP_SECONDS, wait_up
from infra.lab.wait import comes_true

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.adapters.process import Completed
    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A running lab host as a machine that can be switched off, cut off and looked into; used by fault tests."""

    plan: AddressPlan
    index: int

    @property
    def container(self) -> str:
        """The container that is this machine."""
        return self.plan.container(self.plan.host_name(self.index))

    def exec(self, argv: Sequence[str], *, timeout_seconds: float = 60, check: bool = True) -> Completed:
        """Run `argv` on the machine as root."""
        return docker("exec", self.container, *argv, timeout_seconds=timeout_seconds, check=check)

    def power_off(self) -> None:
        """Take the power away: nothing on the machine gets to clean up."""
        docker("kill", self.container)

    def stop(self) -> None:
        """Shut the machine down in order."""
        docker("stop", self.container, timeout_seconds=SHUTDOWN_SECONDS + 30)

    def freeze(self) -> None:
        """Hang the machine: connections are taken and never answered."""
        docker("pause", self.container)

    def thaw(self) -> None:
        """Let a hung machine go on."""
        docker("unpause", self.container)

    def restart_engine(self) -> None:
        """Restart the machine's Docker engine and wait until it answers; containers go down with it."""
        self._end_engine("TERM")

    def crash_engine(self) -> None:
        """Kill the machine's Docker engine and wait until it answers; its containers run until it is back."""
        self._end_engine("KILL")

    def _end_engine(self, signal: str) -> None:
        """Send the engine a signal and wait until another one answers."""
        old = self._engine_pid()
        self.exec(("kill", "-s", signal, old))
        # It still answers while it ends its containers; only a new process is the engine restarted.
        if not comes_true(lambda: self._engine_pid() not in {"", old}, within_seconds=UP_SECONDS):
            raise HostError("the engine did not come back", where=self.container, mend="reboot the machine")
        wait_up(self.plan, [self.index])

    def _engine_pid(self) -> str:
        """Return the process id of the machine's Docker engine, an empty text without one."""
        return self.exec(("pgrep", "-x", "dockerd"), check=False).stdout.strip()

    def start(self, *, wait: bool = True) -> None:
        """Switch the machine on and wait until sshd and its engine answer."""
        docker("start", self.container)
        if wait:
            wait_up(self.plan, [self.index])

    def reboot(self, *, wait: bool = True) -> None:
        """Shut the machine down, start it, and wait until sshd and its engine answer."""
        docker("restart", self.container, timeout_seconds=SHUTDOWN_SECONDS + 30)
        if wait:
            wait_up(self.plan, [self.index])


def machines(folder: LabFolder) -> list[Machine]:
    """Return the machines of the lab in `folder`, h1 first."""
    memory = read_memory(folder)
    if memory is None:
        raise ToolError("this checkout has no lab", where=str(folder.path), mend="run `acp-release lab up`")
    return [Machine(plan=memory.plan, index=index) for index in range(1, memory.hosts + 1)]
