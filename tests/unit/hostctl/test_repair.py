from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import repair as repair_module
from infra.hostctl.drift.difference import REPAIR
from infra.hostctl.edge.routing import committed_routing
from infra.hostctl.engine import Container
from infra.hostctl.errors import HostctlError
from infra.hostctl.fleet import find_spec
from tests.unit.hostctl.release_spec import IMAGE, SECRET, V1, V2
from tests.unit.hostctl.release_spec import spec as make_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.hostctl.fake_host import FakeHost

INGEST, PARKED = "acp-v1-1-0-b-ingest-1", "acp-v1-0-0-a-ingest-1"
OTHER_IMAGE = "registry.test/acp/app:latest"


@pytest.fixture
def world(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Return a host that serves V2 and has V1 parked; the edge is brought to its settings by a fake."""
    world.release(V1)
    world.release(V2)

    def apply_edge(*_arguments: Any, **_options: Any) -> None:
        world.edge.running = True
        world.edge.write_committed(committed_routing(find_spec(world.host, world.host.state.current)))
        world.edge.load_committed()

    monkeypatch.setattr(repair_module, "apply_edge", apply_edge)
    return world


def drift(world: FakeHost) -> list[str]:
    """Return in words what differs."""
    return [difference["what"] for difference in world.call("status")["drift"]]


def add(world: FakeHost, name: str, **changes: Any) -> None:
    """Add a container that nobody asked for."""
    made = Container(
        id=name, name=name, image=IMAGE, project="", service="", state="running", health=None, exit_code=0,
        is_oom_killed=False, restarts=0, restart_policy="no", started_at="",
    )  # fmt: skip
    world.engine.all[name] = dataclasses.replace(made, **changes)


def _replace_by_hand(world: FakeHost) -> None:
    """Put a container of somebody's own in the place of a replica."""
    world.engine.remove(INGEST)
    add(world, INGEST, image=OTHER_IMAGE)


CHANGES: dict[str, tuple[Callable[[FakeHost], object], str]] = {
    "stopped": (
        lambda world: world.engine.change(INGEST, state="exited"),
        f"{INGEST} of the current release does not run: it is exited",
    ),
    "paused": (
        lambda world: world.engine.change(INGEST, state="paused"),
        f"{INGEST} of the current release does not run: it is paused",
    ),
    "removed": (lambda world: world.engine.remove(INGEST), f"{INGEST} of the current release is missing"),
    "replaced": (_replace_by_hand, f"{INGEST} was replaced by hand: it runs {OTHER_IMAGE} outside the release"),
    "recreated from another image": (
        lambda world: world.engine.change(INGEST, image=OTHER_IMAGE),
        f"{INGEST} was replaced by hand: it runs {OTHER_IMAGE}, the release has {IMAGE}",
    ),
    "scaled up": (
        lambda world: add(world, "acp-v1-1-0-b-ingest-2", project="acp-v1-1-0-b", service="ingest"),
        "acp-v1-1-0-b-ingest-2 is one more than the release has",
    ),
    "off the network": (
        lambda world: world.engine.change(INGEST, addresses={"bridge": "172.17.0.2"}),
        f"{INGEST} is not on the network acp-local-front any more",
    ),
    "another name on the network": (
        lambda world: world.engine.change(INGEST, aliases={"acp-local-front": ("ingest",)}),
        f"{INGEST} is not on the network acp-local-front under all its names: ingest, acp-v1-1-0-b-ingest",
    ),
    "restart policy": (
        lambda world: world.engine.change(INGEST, restart_policy="no"),
        f"{INGEST} would not start again by itself: its restart policy is not `always`",
    ),
    "image removed": (
        lambda world: world.engine.images.clear(),
        f"the image {IMAGE} of the current release was removed from this host",
    ),
    "parked runs": (lambda world: world.engine.change(PARKED, state="running"), f"{PARKED} of a parked release runs"),
    "parked is not whole": (
        lambda world: world.engine.remove(PARKED),
        f"{PARKED} of the parked release {V1} is missing: it cannot start warm any more",
    ),
    "stray project": (
        lambda world: add(world, "acp-hand-made-1", project="acp-hand-made"),
        "the project acp-hand-made belongs to no known release (1 containers)",
    ),
    "routes edited": (
        lambda world: setattr(world.edge, "on_disk", None),
        "committed.cfg of the edge is not what belongs to the committed release",
    ),
    "routes loaded": (
        lambda world: setattr(world.edge, "loaded", None),
        "the edge has other routes than the committed ones",
    ),
    "edge down": (lambda world: setattr(world.edge, "running", False), "the edge does not run"),
}


@pytest.mark.parametrize(("change", "what"), CHANGES.values(), ids=CHANGES)
def test_a_change_made_by_hand_is_named_and_mended(
    world: FakeHost, change: Callable[[FakeHost], object], what: str
) -> None:
    """Each hand-made change is a difference with a mend, and `repair` leaves none."""
    assert drift(world) == []
    change(world)
    shown = world.call("status")["drift"]
    assert any(difference["what"].startswith(what) for difference in shown), shown
    assert all(difference["mend"].startswith(REPAIR) for difference in shown)
    answer = world.call("repair", secrets={"DATABASE_URL": SECRET})
    assert any(difference["what"].startswith(what) for difference in answer["found"])
    assert answer["left"] == []
    assert (answer["serving"], drift(world)) == (V2, [])
    assert world.edge.serving() == {V2}


def test_an_image_that_only_has_the_same_reference_is_a_difference(world: FakeHost) -> None:
    """A container made from other content than the reference means on this host was replaced."""
    world.engine.change(INGEST, image_id="sha256:other")
    assert drift(world) == [f"{INGEST} was replaced by hand: it runs {IMAGE}, the release has {IMAGE}"]


def test_a_set_up_of_the_edge_that_was_cut_off_is_named(world: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was to change is not in force yet, and no other difference says so."""
    monkeypatch.setattr(world.host.edge.files, "unfinished", dict)
    assert drift(world) == []
    monkeypatch.setattr(world.host.edge.files, "unfinished", lambda: {"settings": {}})
    assert drift(world) == ["a set-up of the edge was cut off"]


def test_nothing_is_made_without_the_secrets(world: FakeHost) -> None:
    """A missing replica needs the release's secrets; without them it is left and said, and the rest is mended."""
    world.engine.remove(INGEST)
    world.engine.change("acp-v1-1-0-b-agents-1", state="exited")
    add(world, "acp-hand-made-1", project="acp-hand-made")
    (missing, *_) = world.call("repair")["left"]
    assert drift(world) == [missing["what"]] == [f"{INGEST} of the current release is missing"]
    assert "with the secrets of the release" in missing["mend"]
    assert any("that needs the release's secrets: DATABASE_URL" in line for line in world.progress)


def test_what_replaced_a_replica_stays_until_it_can_be_made_again(world: FakeHost) -> None:
    """Without secrets, or without the image, the impostor is not removed: it may be all that answers."""
    _replace_by_hand(world)
    world.call("repair")
    assert world.engine.all[INGEST].image == OTHER_IMAGE
    world.engine.refuse_pulls("connection refused")
    world.call("repair", secrets={"DATABASE_URL": SECRET})
    assert world.engine.all[INGEST].image == OTHER_IMAGE
    assert any("going on without an image" in line for line in world.progress)


def test_a_sound_host_is_left_alone(world: FakeHost) -> None:
    """Repair of a host without drift makes, stops and removes nothing."""
    before = dict(world.engine.all)
    answer = world.call("repair")
    assert (answer["found"], answer["left"]) == ([], [])
    assert world.engine.all == before


def test_a_gap_in_the_numbers_is_filled(world: FakeHost) -> None:
    """Compose counts on from the highest number; the new replica gets the missing one's name."""
    world.start("v3", spec=make_spec("v3", replicas=2))
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release="v3")
    world.engine.remove("acp-v3-ingest-1")
    real_up = world.compose.up

    def up(project: str, document: dict[str, Any], **options: Any) -> None:
        kept = dict(world.engine.all)
        real_up(project, document, **options)
        world.engine.all.update(kept)
        made = world.engine.all.pop("acp-v3-ingest-1")
        world.engine.all["acp-v3-ingest-3"] = dataclasses.replace(made, name="acp-v3-ingest-3")

    world.compose.up = up
    assert world.call("repair", secrets={"DATABASE_URL": SECRET})["left"] == []
    assert {"acp-v3-ingest-1", "acp-v3-ingest-2"} <= set(world.engine.all)
    assert "acp-v3-ingest-3" not in world.engine.all


def test_repair_ends_an_orphaned_trial(world: FakeHost) -> None:
    """A candidate that a dead driver left is reverted first."""
    world.start("v3")
    answer = world.call("repair")
    assert (answer["serving"], answer["left"]) == (V2, [])
    assert world.call("status")["candidate"] is None


def test_repair_is_refused_while_somebody_releases(world: FakeHost) -> None:
    """Repair works under the lease."""
    world.call("lease", action="acquire", holder="ci-1", purpose="a release")
    with pytest.raises(HostctlError, match="ci-1 holds this host"):
        world.call("repair")


def test_a_stopped_data_service_is_started_and_a_lost_one_is_named(world: FakeHost) -> None:
    """Data services are started, never made again or removed: their data may hang on it."""
    folder = world.host.paths.core
    folder.mkdir(parents=True)
    (folder / "acp-core.json").write_text('{"services": {"redis": {"image": "r"}, "postgres": {"image": "p"}}}')
    add(world, "acp-core-redis-1", project="acp-core", service="redis", image="r", state="exited")
    assert drift(world) == ["postgres of acp-core has no container", "acp-core-redis-1 is exited"]
    (left,) = world.call("repair")["left"]
    assert left["what"] == "postgres of acp-core has no container"
    assert not left["mend"].startswith(REPAIR)
