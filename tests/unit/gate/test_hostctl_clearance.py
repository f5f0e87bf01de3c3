from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.ssh_signature import sign
from infra.domain.clearance import VALID_SECONDS, clearance_text
from infra.hostctl import readiness
from infra.hostctl.clearance import CLOCK_SKEW_SECONDS, set_signers
from infra.hostctl.errors import HostctlError
from infra.lab.keys import ensure_key
from tests.unit.hostctl.fake_host import FakeHost
from tests.unit.hostctl.release_spec import IMAGE, SECRET, spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER_IMAGE = "registry.test/acp/other@sha256:" + "c" * 64


@pytest.fixture
def clear(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return what the gate does: sign a release document with its key."""

    def signed(
        document: dict[str, Any], *, key: str = "gate", at: float = 1000.0, is_warm_only: bool = False
    ) -> dict[str, str]:
        ensure_key(tmp_path / key, key)
        text = clearance_text(document, run_id="run", now_unix_seconds=at, is_warm_only=is_warm_only)
        return {"document": text, "signature": sign(text, tmp_path / key)}

    return signed


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Return a host in memory that knows the gate's key, and whose containers are ready at once."""
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    fake = FakeHost(tmp_path / "acp")
    fake.folder.mkdir()
    set_signers(fake.host.paths, [ensure_key(tmp_path / "gate", "gate")])
    return fake


def refused(world: FakeHost, **request: Any) -> str:
    """Return why `start` is refused; nothing on the host may have changed by then."""
    with pytest.raises(HostctlError) as caught:
        world.start("v1", **request)
    assert caught.value.code == "not_cleared"
    assert world.engine.all == {}
    assert world.engine.pulls == []
    assert not world.host.paths.state.exists()
    return caught.value.message


def test_a_cleared_release_starts(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """A release that the gate signed starts."""
    assert world.start("v1", clearance=clear(spec("v1")))["phase"] == "ready"


def test_what_serves_already_needs_no_new_clearance(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """A rotated key runs the last start again, with its old lease and clearance; another digest is refused as ever."""
    world.start("v1", clearance=clear(spec("v1")))
    for phase in ("cutover", "commit", "park"):
        world.call(phase, release="v1")
    old = {"holder": "ci-1", "fence": 1}
    answer = world.start("v1", lease=old)
    assert (answer["phase"], answer["changed"]) == ("serving", False)
    edited = json.loads(json.dumps(spec("v1")).replace(IMAGE, IMAGE.replace("a" * 64, "c" * 64)))
    with pytest.raises(HostctlError, match="clearance"):
        world.call("start", spec=edited, secrets={"DATABASE_URL": SECRET})


def test_a_host_without_keys_asks_for_nothing(world: FakeHost) -> None:
    """A host of a stack without signatures starts what it is told."""
    set_signers(world.host.paths, [])
    assert world.start("v1")["phase"] == "ready"


def test_a_release_without_clearance_is_refused(world: FakeHost) -> None:
    """A direct call of hostctl, as with a stolen deploy key, starts nothing."""
    assert "without the clearance" in refused(world)


def test_another_key_is_refused(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """A clearance by a key that the host does not know is none."""
    assert "not signed by a key" in refused(world, clearance=clear(spec("v1"), key="stranger"))


def test_another_digest_is_refused(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """The clearance of one release does not start another image."""
    changed = json.loads(json.dumps(spec("v1")).replace(spec("v1")["images"][0], OTHER_IMAGE))
    assert "another release document" in refused(world, clearance=clear(spec("v1")), spec=changed)


def test_an_edited_document_is_refused(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """A signed text that was changed afterwards is refused."""
    cleared = clear(spec("v1"))
    cleared["document"] = cleared["document"].replace(spec("v1")["images"][0], OTHER_IMAGE)
    assert "changed afterwards" in refused(world, clearance=cleared)


def test_an_edited_command_is_refused(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """Not only the image is signed: another command in the compose file is refused as well."""
    changed = spec("v1")
    changed["compose"]["services"]["ingest"]["command"] = ["sh", "-c", "true"]
    assert "another release document" in refused(world, clearance=clear(spec("v1")), spec=changed)


def two_releases(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """Release v1, then v2, both cleared."""
    for release in ("v1", "v2"):
        world.start(release, clearance=clear(spec(release), at=world.clock.seconds))
        for phase in ("cutover", "commit", "drain", "park"):
            world.call(phase, release=release)


@pytest.mark.parametrize(("hours", "is_asked"), [(0.9, True), (24, False)])
def test_a_release_is_taken_back_soon_after_its_commit_or_on_hosts_that_ask_for_nothing(
    world: FakeHost, clear: Callable[..., dict[str, str]], hours: float, *, is_asked: bool
) -> None:
    """An update that fails on another host needs no second clearance for what it did to this one."""
    two_releases(world, clear)
    world.clock.sleep(hours * 3600)
    if not is_asked:
        set_signers(world.host.paths, [])
    assert world.call("revert", release="v2")["serving"] == "v1"


def test_a_way_back_that_failed_is_begun_again(
    world: FakeHost, clear: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that is taken back is still the one of minutes ago."""
    two_releases(world, clear)
    with monkeypatch.context() as patch:
        patch.setattr(readiness, "probe", lambda *_: "not now")
        with pytest.raises(HostctlError):
            world.call("revert", release="v2")
    assert world.host.state.current == "v2"
    assert world.call("revert", release="v2")["serving"] == "v1"


def test_the_deploy_key_alone_takes_back_no_release_of_yesterday(
    world: FakeHost, clear: Callable[..., dict[str, str]]
) -> None:
    """It would serve again what was replaced for a reason."""
    two_releases(world, clear)
    world.clock.sleep(3610)
    with pytest.raises(HostctlError, match="v2 was not committed within the last hour") as caught:
        world.call("revert", release="v2")
    assert (caught.value.code, "acp-release rollback" in caught.value.mend) == ("not_cleared", True)
    assert world.host.state.current == "v2"
    assert world.edge.serving() == {"v2"}


def test_what_another_trial_came_after_is_not_taken_back(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """The update of that release is over; when its commit was is not known any more."""
    two_releases(world, clear)
    world.start("v3", clearance=clear(spec("v3"), at=world.clock.seconds))
    world.call("revert", release="v3")
    with pytest.raises(HostctlError, match="needs the clearance of the gate"):
        world.call("revert", release="v2")
    assert world.edge.serving() == {"v2"}


def test_a_way_back_that_was_cut_off_goes_on_after_the_hour(
    world: FakeHost, clear: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was begun in time, and half a way is no place to stay."""
    two_releases(world, clear)

    def refuse(name: str, policy: str) -> None:
        raise HostctlError("docker_error", "hiccup")

    with monkeypatch.context() as patch:
        patch.setattr(world.engine, "set_restart_policy", refuse)
        with pytest.raises(HostctlError, match="hiccup"):
            world.call("revert", release="v2")
    world.clock.sleep(3610)
    assert world.call("revert", release="v2")["serving"] == "v1"


@pytest.mark.parametrize("at", [1000.0 - VALID_SECONDS - 1, 1000.0 + CLOCK_SKEW_SECONDS + 1])
def test_an_old_clearance_is_refused(world: FakeHost, clear: Callable[..., dict[str, str]], at: float) -> None:
    """A clearance that was recorded earlier, or is from the future, is refused."""
    assert "run out" in refused(world, clearance=clear(spec("v1"), at=at))


@pytest.mark.parametrize("seconds", [-600.0, 600.0])
def test_a_runner_whose_clock_is_ten_minutes_wrong_may_release(
    world: FakeHost, clear: Callable[..., dict[str, str]], seconds: float
) -> None:
    """Its clearance seems to be old already, or from the future."""
    assert world.start("v1", clearance=clear(spec("v1"), at=1000.0 + seconds))["release"] == "v1"


def test_a_parked_release_needs_a_clearance_too(world: FakeHost, clear: Callable[..., dict[str, str]]) -> None:
    """A warm start of an old release is a start."""
    world.start("v1", clearance=clear(spec("v1")))
    with pytest.raises(HostctlError, match="without the clearance"):
        world.call("activate", release="v1")
    assert world.call("activate", release="v1", clearance=clear(spec("v1")))["release"] == "v1"


def test_keys_are_replaced_as_told(world: FakeHost) -> None:
    """The same keys again are no change; no keys remove the file."""
    paths = world.host.paths
    key = paths.signers.read_text().split(maxsplit=2)[2].strip()
    assert not set_signers(paths, [key])
    assert set_signers(paths, [])
    assert not paths.signers.exists()


def test_a_clearance_for_a_warm_start_makes_no_containers(
    world: FakeHost, clear: Callable[..., dict[str, str]]
) -> None:
    """Without the registry only what is kept of a release may start; nothing is pulled or made for it."""
    with pytest.raises(HostctlError, match="only containers kept of this release may start") as caught:
        world.start("v1", clearance=clear(spec("v1"), is_warm_only=True))
    assert caught.value.code == "not_cleared"
    assert world.engine.pulls == []
    for release in ("v1", "v2"):
        world.start(release, clearance=clear(spec(release)))
        for command in ("cutover", "commit", "drain", "park"):
            world.call(command, release=release)
    assert world.start("v1", clearance=clear(spec("v1"), is_warm_only=True))["phase"] == "ready"
