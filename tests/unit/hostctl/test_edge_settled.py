"""One HAProxy takes requests, also after a take-over that was cut off."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from infra.hostctl.edge.apply import apply_edge, settle_edge
from infra.hostctl.edge.config import render_config
from infra.hostctl.edge.container import HOLDER, RELIEFS, RETIRE
from infra.hostctl.edge.control import Edge
from infra.hostctl.edge.files import EdgeFiles
from infra.hostctl.edge.routing import committed_routing
from infra.hostctl.engine import Container
from infra.hostctl.errors import HostctlError
from infra.hostctl.journal import Journal
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.release_spec import V1
from tests.unit.hostctl.test_edge_routing import release, settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.clock import Clock
    from infra.hostctl.engine import Engine
    from infra.hostctl.host import Host

IMAGE = settings().image


class Engines(FakeEngine):
    """Docker that runs the command that has a HAProxy finish, and a HAProxy that then takes nothing new."""

    def __init__(self) -> None:
        super().__init__()
        self.accepting = {HOLDER, RELIEFS[0]}
        self.status = 0
        self.images.add(IMAGE)
        made = Container(
            id=HOLDER, name=HOLDER, image=IMAGE, project="", service="", state="running", health=None, exit_code=0,
            is_oom_killed=False, restarts=0, restart_policy="no", started_at="",
        )  # fmt: skip
        self.all[HOLDER] = made

    def execute(self, name: str, argv: list[str]) -> tuple[int, str]:
        """Run it, unless the test has it fail."""
        assert argv == ["/bin/sh", "-c", RETIRE]
        if self.status == 0:
            self.accepting.discard(name)
        return self.status, "broken"


class TwoEdges(Edge):
    """An edge whose containers answer as the engine above says."""

    def _answers(self, container: str) -> bool:
        return container in cast("Engines", self._engine).accepting


class SmallHost:
    """Of a host only what brings its edge to its settings."""

    def __init__(self, folder: Path, serving: str) -> None:
        """Have an edge that is as it should be, but for a second container that serves."""
        self.clock = FakeClock()
        self.engine = Engines()
        self.edge = TwoEdges(EdgeFiles(folder), cast("Engine", self.engine), cast("Clock", self.clock))
        self.journal = Journal(folder / "journal.jsonl", cast("Clock", self.clock))
        self.edge.files.prepare(HOLDER)
        self.edge.files.save(settings(), container=serving, images=dict.fromkeys((HOLDER, RELIEFS[0]), IMAGE))
        self.edge.files.write_routes("committed.cfg", render_config(settings(), committed_routing(release(V1))))

    def progress(self, phase: str, message: str) -> None:
        """Say nothing."""


def apply(host: SmallHost) -> dict[str, Any]:
    """Bring the edge to the settings that it has."""
    arguments = settings(), None, release(V1)
    return apply_edge(cast("Host", host), *arguments, pem=None, certificate_file=None)


@pytest.mark.parametrize(("serving", "other"), [(RELIEFS[0], HOLDER), (HOLDER, RELIEFS[0])])
@pytest.mark.parametrize("settle", [apply, lambda host: settle_edge(cast("Host", host))])
def test_what_a_take_over_left_takes_nothing_new(tmp_path: Path, settle: Any, serving: str, other: str) -> None:
    """The one that is written down goes on; the other finishes what it has, once."""
    host = SmallHost(tmp_path, serving)
    settle(host)
    assert host.engine.accepting == {serving}
    settle(host)
    retired = [entry for entry in host.journal.tail(20) if entry.get("container")]
    assert {entry["container"] for entry in retired} == {other}
    assert json.loads((tmp_path / "edge.json").read_text())["container"] == serving


def test_a_second_edge_that_cannot_be_retired_is_told(tmp_path: Path) -> None:
    """Two that serve could say different things: setting the edge up does not end well before that is mended."""
    host = SmallHost(tmp_path, RELIEFS[0])
    host.engine.status = 1
    with pytest.raises(HostctlError, match=f"{HOLDER} could not be retired: broken"):
        apply(host)
    host.engine.status = 0
    assert apply(host)["changed"] is False
    assert host.edge.accepting() == [RELIEFS[0]]
