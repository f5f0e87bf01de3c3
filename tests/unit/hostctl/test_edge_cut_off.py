"""A set-up of the edge that was killed is brought to its end by the next one, wherever it was."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl.edge.config import render_config
from infra.hostctl.edge.container import HOLDER, RELIEFS
from infra.hostctl.edge.routing import committed_routing
from infra.hostctl.edge.settings import EdgeSettings
from infra.hostctl.errors import HostctlError
from tests.unit.hostctl.fake_edge import HAPROXY
from tests.unit.hostctl.fake_haproxy import NEWER, EdgeWorld
from tests.unit.hostctl.test_edge_parts import certificate

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = {"stack": "local", "image": HAPROXY, "network": "acp-local-front", "public_ports": [8000], "https_port": 443}
MORE_PORTS = {"public_ports": [8000, 8001]}
TIMEOUTS = {"timeouts": {"server_seconds": 200}}
SECURE = {"tls": {"hsts_seconds": 5}}
MOST_STEPS = 200


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return two certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    return certificate(folder), certificate(folder)


def request(pem: str, *changes: dict[str, Any]) -> dict[str, Any]:
    """Return a request of the set-up with changes."""
    merged = {key: value for change in changes for key, value in change.items()}
    return {**REQUEST, **merged, "tls": {"certificate_pem": pem, **merged.get("tls", {})}}


def differences(world: EdgeWorld, wanted: dict[str, Any]) -> set[str]:
    """Return what of the edge is not as a request says."""
    saved = world.files.load()
    assert saved is not None
    settings = EdgeSettings.from_json(saved["settings"])
    routes = render_config(settings, committed_routing(None))
    images = {name: container.image for name, container in world.engine.all.items() if name in saved["images"]}
    right = {
        "finished": world.files.unfinished() is None,
        "one accepts": world.accepting == {saved["container"]},
        "ports": world.compose.published == {80, 443, *wanted["public_ports"]},
        "images": images == saved["images"] and images[saved["container"]] == wanted["image"],
        "file": world.files.read_routes("committed.cfg") == routes,
        "loaded": world.loaded.get(saved["container"]) == (routes, wanted["tls"]["certificate_pem"].strip()),
        "timeouts": settings.server_seconds == wanted.get("timeouts", {}).get("server_seconds", 300),
        "hsts": settings.hsts_seconds == wanted["tls"].get("hsts_seconds", 31536000),
    }
    return {name for name, is_right in right.items() if not is_right}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pems: tuple[str, str]) -> EdgeWorld:
    """Return a host with an edge."""
    made = EdgeWorld(tmp_path, monkeypatch)
    made.call("edge", **request(pems[0]))
    return made


@pytest.mark.parametrize("is_upgraded", [False, True], ids=["holder", "relief"])
@pytest.mark.parametrize(
    "change",
    [MORE_PORTS, TIMEOUTS, SECURE, {}, {"image": NEWER}, {"image": NEWER, **TIMEOUTS}, {"image": NEWER, **MORE_PORTS}],
    ids=["ports", "timeouts", "hsts", "certificate", "image", "image and timeouts", "image and ports"],
)
@pytest.mark.parametrize("then", ["again", "again after another call", "taken back"])
def test_what_was_killed_is_done_by_the_next(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pems: tuple[str, str],
    change: dict[str, Any],
    is_upgraded: bool,
    then: str,
) -> None:
    """Killed at any step, the same or the former request makes all as it says; one more finds nothing to do."""
    image = {"image": NEWER} if is_upgraded else {}
    after = {"image": HAPROXY if is_upgraded else NEWER} if "image" in change else {}
    first, second = request(pems[0], image), request(pems[1], image, change, after)
    for step in count(1):
        world = EdgeWorld(tmp_path / str(step), monkeypatch)
        world.call("edge", **request(pems[0]))
        world.call("edge", **first)
        world.lasts = 10 if then == "taken back" else 1000
        is_killed = world.killed_at(step, second)
        if then == "again after another call":
            world.call("prune")
        wanted = first if then == "taken back" else second
        found = differences(world, wanted)
        assert world.call("edge", **wanted)["changed"] or found <= {"one accepts"}
        assert differences(world, wanted) == set()
        reloads, containers = world.reloads, dict(world.engine.all)
        assert not world.call("edge", **wanted)["changed"]
        assert (world.reloads, world.engine.all) == (reloads, containers)
        if "public_ports" not in change:
            assert world.cut == []
        if not is_killed:
            break
        assert step < MOST_STEPS


def test_a_relief_that_finishes_requests_is_left_alone(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """A take-over that nobody wrote down is taken back; the next uses the other name, and the first ends by itself."""
    world.engine.all[RELIEFS[0]] = world.engine.all[HOLDER]
    world.serve(RELIEFS[0])
    assert world.call("edge", **request(pems[0], {"image": NEWER}))["container"] == RELIEFS[1]
    assert (world.accepting, world.cut) == ({RELIEFS[1]}, [])


def test_a_take_over_waits_for_a_name(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """Where one relief serves and the other finishes requests, until these have ended."""
    world.call("edge", **request(pems[0], {"image": NEWER}))
    world.call("edge", **request(pems[0]))
    began = world.clock.monotonic()
    assert world.call("edge", **request(pems[0], {"image": NEWER}))["container"] == RELIEFS[0]
    assert world.clock.monotonic() - began >= world.lasts - 2
    assert world.cut == []


def test_reliefs_that_do_not_end_are_not_cut(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """The set-up is refused and changes nothing; the one that serves goes on."""
    world.lasts = 1000
    world.call("edge", **request(pems[0], {"image": NEWER}))
    world.call("edge", **request(pems[0]))
    with pytest.raises(HostctlError, match="still finish requests") as caught:
        world.call("edge", **request(pems[0], {"image": NEWER}))
    assert "HAProxy closes the last of them" in caught.value.mend
    assert world.cut == []
    assert differences(world, request(pems[0])) == set()


def test_ports_that_are_taken_bring_the_edge_of_before_back(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """Also when the first attempt was killed after it had removed the container."""
    world.compose.refused = {8001}
    for _ in range(2):
        with pytest.raises(HostctlError, match="a port is in use"):
            world.call("edge", **request(pems[0], MORE_PORTS))
        assert differences(world, request(pems[0])) == set()
        for step in count(1):
            assert world.killed_at(step, request(pems[0], MORE_PORTS))
            if HOLDER not in world.engine.all:
                break
    assert world.edge.settings.public_ports == (8000,)


def test_a_first_edge_that_does_not_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pems: tuple[str, str]
) -> None:
    """The host has no edge, as before."""
    world = EdgeWorld(tmp_path, monkeypatch)
    world.compose.refused = {8000}
    with pytest.raises(HostctlError, match="a port is in use"):
        world.call("edge", **request(pems[0]))
    assert not world.edge.is_set_up
    assert world.files.unfinished() is None
    assert world.engine.all == {}


def test_settings_that_haproxy_refuses_are_used_by_no_release(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """What comes next works with the settings of before, until a set-up ends well."""
    world.engine.refuses_routes = True
    with pytest.raises(HostctlError, match="refused its configuration"):
        world.call("edge", **request(pems[0], TIMEOUTS))
    world.engine.refuses_routes = False
    world.call("prune")
    assert world.edge.settings.server_seconds == 300
    world.call("edge", **request(pems[0]))
    assert differences(world, request(pems[0])) == set()


def test_routes_that_are_no_text_are_mended(world: EdgeWorld, pems: tuple[str, str]) -> None:
    """Bytes that are no UTF-8 are a change by hand as any other: they show, and the next call puts the routes back."""
    with (world.files.config / "committed.cfg").open("ab") as stream:
        stream.write(b"# caf\xe9\n")
    assert any("edited by hand" in row["what"] for row in world.call("status")["drift"])
    world.call("prune")
    assert differences(world, request(pems[0])) == set()
