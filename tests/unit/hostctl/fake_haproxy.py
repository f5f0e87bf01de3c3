# ruff: noqa: D102 - the methods are those of what a fake stands for
"""The edge's containers with their HAProxys in memory, around hostctl's own edge and files; any step may be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from infra.hostctl.edge import control
from infra.hostctl.edge.container import HOLDER, RETIRE
from infra.hostctl.edge.control import Edge
from infra.hostctl.edge.files import COMMITTED, EdgeFiles
from infra.hostctl.engine import Container
from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fake_edge import HAPROXY
from tests.unit.hostctl.fake_host import FakeHost
from tests.unit.hostctl.fakes import FakeCompose, FakeEngine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine

NEWER = HAPROXY.replace("b" * 64, "c" * 64)
ANSWERS = {
    "show proc": "#<PID> <type>\n10 master\n# workers\n27 worker\n\n",
    "@!27 show info": "Start_time_sec: 1\n\n",
    "@!27 show stat": "# pxname,svname,\n\n",
    "show stat": "# pxname,svname,\n\n",
    "show info": "Pid: 27\n",
}


class KilledError(BaseException):
    """Stands for kill -9."""


class EdgeWorld(FakeHost):
    """A host whose edge is HAProxys in memory; one that takes no more requests has its last for `lasts` seconds."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.files = EdgeFiles(self.host.paths.edge)
        self.engine: Docker = Docker(self)
        self.compose: EdgeCompose = EdgeCompose(self)
        self.edge = cast("Any", Edge(self.files, cast("Engine", self.engine), cast("Clock", self.clock)))
        self.accepting: set[str] = set()
        self.ends: dict[str, float] = {}
        self.lasts = 10.0
        self.loaded: dict[str, tuple[str, str]] = {}
        self.staged = ""
        self.cut: list[str] = []
        self.reloads = 0
        self.steps_left: float = float("inf")
        monkeypatch.setattr(control, "ask", self.ask)
        monkeypatch.setattr("os.fsync", lambda _: self.step())

    def step(self) -> None:
        """Count one step, and be killed with the last that is allowed."""
        self.steps_left -= 1
        if self.steps_left == 0:
            raise KilledError

    def killed_at(self, step: int, request: dict[str, Any]) -> bool:
        """Set the edge up until the given step; return whether there was one."""
        self.steps_left = step
        try:
            self.call("edge", **request)
        except KilledError:
            return True
        finally:
            self.steps_left = float("inf")
        return False

    def serve(self, name: str) -> None:
        """Have a HAProxy begin on the committed routes."""
        link = self.files.run(name) / "active.cfg"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/edge/{COMMITTED}")
        self.accepting.add(name)
        self._load(name)

    def end(self, name: str) -> None:
        """Have a container's HAProxy end, with whatever it works on; the holder steps in."""
        if self.is_alive(name):
            self.cut.append(name)
        self.accepting.discard(name)
        self.ends.pop(name, None)
        if not self.accepting and HOLDER in self.engine.all and name != HOLDER:
            self.serve(HOLDER)

    def retire(self, name: str) -> None:
        """Have a HAProxy take nothing new."""
        self.accepting.remove(name)
        self.ends[name] = self.clock.monotonic() + self.lasts

    def is_alive(self, name: str) -> bool:
        """Return whether a container's HAProxy takes requests or finishes some."""
        return name in self.accepting or self.ends.get(name, 0) > self.clock.monotonic()

    def ask(self, path: Path, command: str, **_: Any) -> str:
        name, is_master = path.parent.name, path.name == "master.sock"
        if not (self.is_alive(name) if is_master else name in self.accepting):
            raise HostctlError("edge_missing", f"no edge listens on {path}")
        if command == "reload":
            self.step()
            self._load(name)
            self.reloads += 1
            self.step()
            return "Success=1\n"
        if command.startswith("set ssl cert"):
            self.step()
            self.staged = command.partition("<<\n")[2]
            return "Transaction created"
        if command.startswith("commit ssl cert"):
            self.step()
            self.loaded[name] = self.loaded[name][0], self.staged.strip()
            return "Success!"
        return ANSWERS[command]

    def _load(self, name: str) -> None:
        pem = self.files.certificate.read_text() if self.files.certificate.exists() else ""
        self.loaded[name] = self.files.read_routes(self.files.active(name) or "") or "", pem.strip()


class Docker(FakeEngine):
    """Docker that ends a HAProxy with its container."""

    def __init__(self, world: EdgeWorld) -> None:
        super().__init__()
        self._world = world
        self.images |= {HAPROXY, NEWER}
        self.refuses_routes = False

    def execute(self, name: str, argv: list[str]) -> tuple[int, str]:
        self._world.step()
        if argv[-1] == RETIRE:
            self._world.retire(name)
            return 0, ""
        return int(self.refuses_routes), "no such keyword"

    def remove(self, name: str) -> None:
        self._world.step()
        if name in self.all:
            super().remove(name)
            self._world.end(name)


class EdgeCompose(FakeCompose):
    """Compose that makes a container anew when its description is another one."""

    def __init__(self, world: EdgeWorld) -> None:
        super().__init__(world.engine)
        self._world = world
        self.made: dict[str, Any] = {}
        self.refused: set[int] = set()
        """Ports that something else has."""

    def up(self, project: str, document: Mapping[str, Any], **options: Any) -> None:
        (name,) = options["services"]
        body = document["services"][name]
        self._world.step()
        if name in self._engine.all and self.made.get(name) == body:
            return
        self._engine.remove(name)
        self._world.step()
        if self.refused & {port["target"] for port in body.get("ports", ())}:
            raise HostctlError("port_taken", "a port is in use")
        self.made[name] = body
        self._engine.all[name] = Container(
            id=f"{name}-{self._world.clock.monotonic()}", name=name, image=body["image"], project=project, service=name,
            state="running", health=None, exit_code=0, is_oom_killed=False, restarts=0, restart_policy="always",
            started_at="",
        )  # fmt: skip
        self._world.clock.sleep(1)
        self._world.serve(name)
        self._world.step()

    @property
    def published(self) -> set[int]:
        """Return the ports that the host publishes, but for those of verification."""
        return {port["target"] for port in self.made[HOLDER]["ports"] if port["host_ip"] != "127.0.0.1"}
