from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.components import gate
from infra.components.gate import ClearanceProvider, ScanProvider
from infra.domain.text_form import to_text
from infra.errors import GateError
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.adapters.hostctl import HostctlClient

SETTINGS = make_settings().model_dump(mode="json")


class CountingScans(ScanProvider):
    """Scans nothing and counts how often it was asked; an image called `bad` is blocked."""

    def __init__(self) -> None:
        self.scanned: list[str] = []

    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return a report of this moment."""
        self.scanned.append(props["image"])
        if props["image"] == "bad":
            raise GateError("bad is blocked")
        return {"report": report(props["image"])}


def report(image: str, *, hours: float = 0) -> dict[str, Any]:
    """Return a report that is `hours` old."""
    moment = (datetime.now(UTC) - timedelta(hours=hours)).isoformat()
    return {
        "name": "app", "image": image, "passed": True, "scanned_at": moment, "database_updated_at": moment,
        "database": "today", "findings": {}, "waivers": [], "accepted": [],
    }  # fmt: skip


def props(image: str, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a scan."""
    return {"name": "app", "image": image, "policy": "p", "accept_risk": "", "settings": SETTINGS, **changes}


@pytest.fixture(autouse=True)
def _silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show nothing."""
    monkeypatch.setattr(gate, "show", lambda _: None)


def test_an_unchanged_image_is_not_scanned_again() -> None:
    """The same image under the same policy, scanned not long ago, is no change."""
    scans = CountingScans()
    state = scans.create(props("a")).outs
    assert not scans.diff("app", state, props("a")).changes


@pytest.mark.parametrize("change", [{"image": "b"}, {"policy": "q"}, {"accept_risk": "why"}])
def test_another_image_policy_or_risk_is_judged(change: dict[str, Any]) -> None:
    """Whatever decides the verdict has it made again."""
    scans = CountingScans()
    state = scans.create(props("a")).outs
    assert scans.diff("app", state, {**props("a"), **change}).changes


def test_an_old_scan_is_made_again() -> None:
    """A scan of yesterday says nothing about what is known today."""
    state = {**props("a"), "report": report("a", hours=25)}
    assert CountingScans().diff("app", state, props("a")).changes


def test_going_back_needs_no_new_scan() -> None:
    """An image that was scanned a release ago is not scanned again for a rollback."""
    scans = CountingScans()
    state = scans.create(props("a")).outs
    state = scans.update("app", state, props("b")).outs
    back = scans.update("app", state, props("a")).outs
    assert scans.scanned == ["a", "b"]
    assert back["report"]["image"] == "a"


def test_an_old_scan_is_not_used_for_going_back() -> None:
    """Nor is one used that is too old by now, or was made under another policy."""
    scans = CountingScans()
    recent = [{"key": "a p ", "report": report("a", hours=25)}, {"key": "c q ", "report": report("c")}]
    state = {**props("b"), "report": report("b"), "recent": recent}
    scans.update("app", state, props("a"))
    scans.update("app", state, props("c"))
    assert scans.scanned == ["a", "c"]


def test_a_blocked_image_is_asked_for_again() -> None:
    """A blocked update leaves the old state: going back is no change, trying again is judged again."""
    scans = CountingScans()
    state = scans.create(props("a")).outs
    for _ in range(2):
        assert scans.diff("app", state, props("bad")).changes
        with pytest.raises(GateError):
            scans.update("app", state, props("bad"))
    assert not scans.diff("app", state, props("a")).changes


def test_recent_scans_are_few() -> None:
    """The state keeps a handful of reports, the latest first."""
    scans = CountingScans()
    state = scans.create(props("0")).outs
    for number in range(1, 9):
        state = scans.update("app", state, props(str(number))).outs
    assert [kept["report"]["image"] for kept in state["recent"]] == ["8", "7", "6", "5", "4"]


@pytest.mark.parametrize(("change", "cleared"), [({}, False), ({"run_id": "2"}, True), ({"release": "b"}, True)])
def test_a_release_is_cleared_for_one_run(change: dict[str, str], *, cleared: bool) -> None:
    """Every attempt at a release asks for a clearance of its own."""
    state = {"release": "a", "run_id": "1"}
    assert ClearanceProvider().diff("gate", state, {**state, **change}).changes is cleared


class Clearing(ClearanceProvider):
    """Clears every release but the one called `bad`."""

    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return a clearance, or refuse."""
        if props["release"] == "bad":
            raise GateError("bad is blocked")
        return {"clearance": None, "record": {}}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the hosts that a connection was begun to, to be left for the preflight."""
    hosts: list[str] = []

    @contextlib.contextmanager
    def shared(clients: list[HostctlClient], *, lingers: bool) -> Iterator[None]:
        assert lingers
        yield
        hosts.extend(client.host.name for client in clients)

    monkeypatch.setattr("infra.rollout.context.shared", shared)
    return hosts


def clearance(release: str, **changes: Any) -> dict[str, Any]:
    """Return the inputs of a clearance."""
    settings = make_settings(**changes).model_dump(mode="json")
    return {"name": "gate", "release": release, "run_id": "1", "settings": to_text(settings)}


def test_hosts_are_connected_to_as_soon_as_the_release_is_cleared(connected: list[str]) -> None:
    """The handshake takes place beside what the engine does before the preflight; not to hosts that are left alone."""
    Clearing().update("gate", {}, clearance("good"))
    assert connected == ["h1", "h2"]
    connected.clear()
    skipping = {"rollback_to": "v1-0", "skip_hosts": ["h1"], "rollout": {"unreachable_host": "skip"}}
    Clearing().update("gate", {}, clearance("good", **skipping))
    assert connected == ["h2"]


def test_no_host_is_connected_to_for_a_release_that_is_refused(connected: list[str]) -> None:
    """Nor for the first one, since its hosts may not know the deploy key yet."""
    with pytest.raises(GateError):
        Clearing().update("gate", {}, clearance("bad"))
    Clearing().create(clearance("good"))
    assert connected == []
