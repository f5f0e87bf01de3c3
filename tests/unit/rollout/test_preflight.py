from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.occasion import BEFORE
from infra.checks.result import CheckResult
from infra.errors import CheckError, HostError, HostUnreachableError, LeaseHeldError, ReleaseError, ToolError
from infra.rollout import preflight
from infra.rollout.preflight import run_preflight
from infra.rollout.verification import faults_to_excuse
from tests.support.fake_hostctl import SECRETS, Stage, make_stage
from tests.support.settings import make_settings, services

if TYPE_CHECKING:
    from infra.rollout.lease_keeper import LeaseKeeper
    from tests.support.fake_witness import FakeCertification
    from tests.unit.rollout.conftest import Probes


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Return a stack before its rollout, without leases."""
    return use(make_stage(leased=False), monkeypatch)


def use(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Let the preflight find this stage."""
    monkeypatch.setattr(preflight, "open_context", lambda _props: stage.context)
    monkeypatch.setattr(preflight, "sharing_connections", lambda context, **_: contextlib.nullcontext(context))
    monkeypatch.setattr(preflight, "keep_leases", lambda run_id, keeper: kept.update({run_id: keeper}))
    kept.clear()
    return stage


kept: dict[str, LeaseKeeper] = {}
"""What was told to renew the leases, by run id; it renews nothing here."""


def failure(stage: Stage) -> ReleaseError:
    """Return the error that the preflight raises."""
    with pytest.raises(ReleaseError) as caught:
        run_preflight({}, lambda _line: None)
    assert stage.journal.unexpected == []
    assert kept == {}
    return caught.value


def released(stage: Stage) -> list[str]:
    """Return the hosts whose lease was given back."""
    return [call.host for call in stage.journal.of("lease") if call.request["action"] == "release"]


def test_leases_are_taken_and_returned(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """Each host's lease has holder and fence; the purpose says which release and who."""
    found = run_preflight({}, shown.append)
    assert found == {"leases": {host: {"holder": "run-1", "fence": 7} for host in ("h1", "h2")}, "before": []}
    for call in stage.journal.of("lease"):
        assert call.request["action"] == "acquire"
        assert call.request["holder"] == "run-1"
        assert call.request["ttl_seconds"] == stage.context.settings.rollout.lease_seconds
        assert call.request["purpose"].startswith(f"release {stage.context.release} by ")
    for host in ("h1", "h2"):
        assert stage.journal.commands(host) == ["lease", "preflight", "status"]
    assert released(stage) == []
    assert kept["run-1"].group.leases == found["leases"]


def test_it_says_what_serves(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """One line per host: what serves now and what it is ready for."""
    run_preflight({}, shown.append)
    assert shown == [f"{host}: serving v1.4.1-00000000, ready for {stage.context.release}" for host in ("h1", "h2")]


def test_a_taken_over_lease_is_said(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """When a dead deployer's lease is taken over, the user hears whose it was."""
    stage.answer("lease", {"lease": {"holder": "run-1", "fence": 8}, "taken_over_from": "run-0"}, host="h2")
    found = run_preflight({}, shown.append)
    assert "h2: took over a dead deployer's lease (run-0)" in shown
    assert found["leases"]["h2"]["fence"] == 8


def test_a_held_lease_gives_the_others_back(stage: Stage, probes: Probes) -> None:
    """When one host is held by somebody else, the leases taken on the others are given back."""
    stage.answer("lease", LeaseHeldError("h2: ci-7 is releasing since 10:00"), host="h2")
    error = failure(stage)
    assert isinstance(error, LeaseHeldError)
    assert released(stage) == ["h1"]


@pytest.mark.parametrize(
    ("command", "error"),
    [("preflight", HostUnreachableError("h1: gone")), ("status", HostError("h1: broken")), ("status", KeyError("x"))],
)
def test_any_failure_gives_all_leases_back(stage: Stage, probes: Probes, command: str, error: Any) -> None:
    """Whatever fails after the leases were taken, they are not kept."""
    stage.answer(command, error, host="h1")
    with pytest.raises(type(error)):
        run_preflight({}, lambda _line: None)
    assert released(stage) == ["h1", "h2"]


def test_a_host_without_room_is_refused_with_figures(stage: Stage, probes: Probes) -> None:
    """What a host lacks for a second release is said with name and figures, and nothing is changed."""
    checks = [
        {"name": "memory", "ok": False, "detail": "needs 3 GiB, 1.2 GiB are free"},
        {"name": "disk", "ok": True, "detail": "50 GiB are free"},
        {"name": "ports", "ok": False, "detail": "8000 is taken by nginx"},
    ]
    stage.answer("preflight", {"ok": False, "checks": checks}, host="h2")
    error = failure(stage)
    assert error.what == (
        "h2 cannot take a second release beside the running one: "
        "memory: needs 3 GiB, 1.2 GiB are free; ports: 8000 is taken by nginx"
    )
    assert "nothing was changed" in error.mend
    assert released(stage) == ["h1", "h2"]


def test_an_unhealthy_running_release_is_refused(stage: Stage, probes: Probes) -> None:
    """A dependency that is down before the release is named, so that the new release is not blamed for it."""
    probes.failing = {"acp-ingest on h1"}
    error = failure(stage)
    assert isinstance(error, CheckError)
    assert "the running release is not healthy before this one begins" in error.what
    assert "at fault: acp-ingest; nothing was changed" in error.what
    assert "FAILED health of acp-ingest on h1" in error.what
    assert released(stage) == ["h1", "h2"]


def test_the_running_release_is_asked_once_whatever_it_is(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """Any release may answer before the rollout, and the quick checks of that occasion are enough."""
    run_preflight({}, shown.append)
    assert {release for _, release in probes.asked} == {None}
    assert probes.occasions == [BEFORE]
    assert (BEFORE.passes, BEFORE.walks) == (1, False)


def test_a_service_that_comes_with_the_release_is_not_missed_before(
    stage: Stage, probes: Probes, shown: list[str]
) -> None:
    """Only what the running release serves is asked: a new service has nobody to answer yet."""
    stage.answer("status", {"serving": "v1.4.1-00000000", "services": [{"name": "acp-ingest"}]})
    run_preflight({}, shown.append)
    assert {name for name, _ in probes.asked} == {"acp-ingest on h1", "acp-ingest on h2"}


def test_the_running_release_is_asked_as_it_was_recorded(
    stage: Stage, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that moves a port does not ask for what nobody serves yet."""
    then = make_settings(services=services(routes={"public_port": 9000}))
    context = replace(stage.context, others={"v1.4.1-00000000": then})
    use(replace(stage, context=context), monkeypatch)
    run_preflight({}, shown.append)
    (subject,) = probes.subjects
    assert {target.base_url.rpartition(":")[2] for target in subject.targets_of("acp-ingest")} == {"9000"}


def test_health_before_may_be_left_out(monkeypatch: pytest.MonkeyPatch, probes: Probes, shown: list[str]) -> None:
    """To release the fix of an unhealthy release, the stack may accept it; what is at fault is told apart later."""
    settings = make_settings(checks={"healthy_before": False}, secrets={"names": list(SECRETS)})
    use(make_stage(settings, leased=False), monkeypatch)
    probes.failing = {"acp-ingest on h1"}
    assert run_preflight({}, shown.append)["before"] == ["acp-ingest"]
    assert sum(line.startswith("before the release: FAILED") for line in shown) == 2


def test_a_warning_before_is_no_refusal(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """What only warns is said and remembered, and the release may begin."""
    probes.failing, probes.severity = {"acp-agents on h1"}, "warning"
    assert run_preflight({}, shown.append)["before"] == ["acp-agents"]
    assert released(stage) == []


def test_a_first_release_has_no_health_before(
    monkeypatch: pytest.MonkeyPatch, probes: Probes, shown: list[str]
) -> None:
    """Where nothing serves there is nobody to ask."""
    stage = use(make_stage(previous=None, leased=False), monkeypatch)
    run_preflight({}, shown.append)
    assert probes.asked == []
    assert shown[0] == f"h1: serving nothing yet, ready for {stage.context.release}"


def test_a_release_of_which_nothing_is_ready_is_asked_all_the_same(stage: Stage, probes: Probes) -> None:
    """Where a dependency that readiness asks for is down, the edge says that nothing serves: no reason to go on."""
    stage.answer("status", {"serving": None, "current": "v1.4.1-00000000", "services": [{"name": "acp-ingest"}]})
    probes.failing = {"acp-ingest on h1"}
    assert "the running release is not healthy before this one begins" in failure(stage).what
    assert released(stage) == ["h1", "h2"]


def test_data_services_with_new_secrets_are_no_reason_to_refuse_the_release_that_has_them(
    stage: Stage, probes: Probes, shown: list[str]
) -> None:
    """They refuse the running release by then; the new one is the mend, and is blamed for all that it lacks itself."""
    stage.answer("status", {"serving": None, "current": "v1.4.1-00000000", "services": [{"name": "acp-ingest"}]})
    probes.failing = {"acp-ingest on h1"}
    assert run_preflight({"core_changes": True}, shown.append)["before"] == []
    assert probes.asked == []
    assert shown[0] == f"h1: serving v1.4.1-00000000 (not ready), ready for {stage.context.release}"


def test_a_rollback_is_not_refused_for_what_it_is_to_mend(
    monkeypatch: pytest.MonkeyPatch, probes: Probes, shown: list[str]
) -> None:
    """The health of the release that is taken back is no reason to keep it."""
    settings = make_settings(rollback_to="v1.4.1-00000000", secrets={"names": list(SECRETS)})
    use(make_stage(settings, leased=False), monkeypatch)
    probes.failing = {"acp-ingest on h1"}
    run_preflight({}, shown.append)
    assert "h1: serving v1.4.1-00000000, ready for" in shown[0]


def test_hosts_that_do_not_know_what_is_pinned_are_told(
    monkeypatch: pytest.MonkeyPatch, probes: Probes, shown: list[str]
) -> None:
    """Before anything may be removed for want of room."""
    settings = make_settings(rollout={"pinned": ["v1-0"]}, secrets={"names": list(SECRETS)})
    stage = use(make_stage(settings, leased=False), monkeypatch)
    stage.answer("pin", {"pinned": ["v1-0"]})
    run_preflight({}, shown.append)
    assert [(call.host, call.request["pinned"]) for call in stage.journal.of("pin")] == [
        ("h1", ["v1-0"]),
        ("h2", ["v1-0"]),
    ]


def test_what_must_make_room_is_said(stage: Stage, probes: Probes, shown: list[str]) -> None:
    """A host that will remove parked releases for want of room says so beforehand."""
    checks = [{"name": "disk", "ok": True, "detail": "0.1 GiB are free", "note": "parked releases go first, v1-0"}]
    stage.answer("preflight", {"ok": True, "checks": checks}, host="h1")
    run_preflight({}, shown.append)
    assert "h1: parked releases go first, v1-0" in shown


def test_a_failing_service_is_no_excuse_for_the_release_that_returns(stage: Stage) -> None:
    """Only what both releases depend on is excused, and for a new release all that was down before."""
    failed = CheckResult(check="health", target="x", passed=False, asked="", came="", seconds=0)
    names = ("acp-ingest", "acp-agents replica a-1", "database")
    results = [replace(failed, dependencies=(name,)) for name in names]
    returning = make_stage(make_settings(rollback_to="v1.4.1-00000000", secrets={"names": list(SECRETS)}))
    assert faults_to_excuse(returning.context, results) == ["database"]
    assert set(faults_to_excuse(stage.context, results)) == set(names)


def test_the_probe_runs_before_anything_changes(stage: Stage, probes: Probes, certification: FakeCertification) -> None:
    """It is started first, and the preflight is over only when it sends."""
    run_preflight({}, lambda _line: None)
    assert certification.calls == ["start", "running"]


def test_a_refused_release_leaves_no_probe(stage: Stage, probes: Probes, certification: FakeCertification) -> None:
    """When a host refuses, the probe is ended and the leases are given back."""
    stage.answer("preflight", HostUnreachableError("h2 is not reachable"), host="h2")
    failure(stage)
    assert certification.calls == ["start", "abandon"]
    assert released(stage) == ["h1", "h2"]


def test_without_a_probe_nothing_is_released(stage: Stage, probes: Probes, certification: FakeCertification) -> None:
    """A probe that does not start stops the update before anything is changed."""
    certification.refusal = ToolError("the certificate's probe did not start")
    assert "did not start" in failure(stage).what
    assert released(stage) == ["h1", "h2"]
