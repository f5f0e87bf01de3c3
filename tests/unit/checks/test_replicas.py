from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.blame import at_fault
from infra.checks.occasion import Occasion
from infra.checks.replicas import judge_status
from infra.checks.suite import examine
from infra.errors import HostError, HostUnreachableError
from tests.support.fake_app import RELEASE
from tests.support.subject import PROJECT, container, good_status, make_subject, quick_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = {"acp-ingest": 8000, "acp-agents": 8001}
OTHER = "v1.4.1-00000000"
REPLICAS = Occasion(checks=("replicas",))


def faults(status: Mapping[str, Any], *, release: str | None = RELEASE, replicas: dict[str, int] | None = None) -> Any:
    """Return what a host's status is judged to lack: the services or replicas at fault."""
    subject = make_subject(quick_settings(PORTS), release=release)
    if replicas is not None:
        subject.replicas.update(replicas)  # type: ignore[attr-defined]
    return at_fault(judge_status(status, subject, "h1"))


def test_a_service_without_any_container_is_missed() -> None:
    """Not only the second replica: the whole service may be gone."""
    status = good_status()
    status["releases"][RELEASE] = [container("ingest"), container("worker")]
    assert faults(status) == ["acp-agents"]


def test_a_service_that_should_not_be_there_is_named() -> None:
    """A release that has none of a service is not what was deployed when one runs."""
    assert faults(good_status(), replicas={"acp-worker": 0}) == ["acp-worker"]


def test_another_release_at_the_edge_is_not_judged() -> None:
    """During a trial the edge has servers of two releases; each is judged by its own."""
    status = good_status()
    status["services"][0]["releases"].insert(0, {"release": OTHER, "weight": 0, "sessions": 0, "up": 0, "servers": 1})
    assert faults(status) == []


@pytest.mark.parametrize("release", [RELEASE, None])
def test_a_host_that_serves_nothing_has_no_release(release: str | None) -> None:
    """Without a serving release there is nothing to judge, and that is red."""
    assert faults({**good_status(), "serving": None, "releases": {}}, release=release) == ["release"]


def test_a_release_of_which_the_edge_finds_nothing_ready_is_judged_all_the_same() -> None:
    """While none of its replicas is ready the edge says that nothing serves; its containers are there."""
    status = good_status() | {"serving": None, "current": RELEASE}
    status["releases"][RELEASE][0] |= {"state": "exited"}
    found = faults(status, release=None)
    assert found
    assert "release" not in found


def test_the_replica_of_the_judged_release_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate is asked for by its own id while another release serves; without an id the one that serves is."""
    reason = HostError(f"h1: {PROJECT}-agents-2 was not ready within 2 seconds: status is not_ready")
    for release, serving in ((RELEASE, OTHER), (None, RELEASE)):
        status = {**good_status(), "serving": serving}
        status["services"][1]["releases"][0]["up"] = 1
        subject = make_subject(quick_settings(PORTS), status=status, ready=reason, release=release)
        found = examine(subject, REPLICAS)
        assert at_fault(found.results) == [f"acp-agents replica {PROJECT}-agents-2"]
        (client,) = subject.hosts
        asked = [call.request["release"] for call in client.journal.of("ready")]  # type: ignore[attr-defined]
        assert set(asked) == {RELEASE}


def test_a_host_that_answers_at_the_second_try_passes() -> None:
    """One lost packet is no verdict."""
    answers = iter([HostUnreachableError("h1 is not reachable"), *[good_status()] * 50])

    def status(_request: Any) -> dict[str, Any]:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    checks = {"timeout_seconds": 10}
    found = examine(make_subject(quick_settings(PORTS, checks=checks), status=status), REPLICAS)
    assert [str(result) for result in found.results if not result.passed] == []
