"""A release that is reached elsewhere than the one before it: each is asked as itself wants it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.occasion import AFTER_REVERT
from infra.errors import CandidateError
from infra.rollout import verification
from infra.rollout.driver import DRAIN_MARGIN_SECONDS
from infra.rollout.verification import examine_before
from infra.settings.check_references import SERVICES
from tests.support.fake_hostctl import PREVIOUS, FakeClient, Stage, make_stage
from tests.support.settings import make_settings, service, services
from tests.unit.rollout.rollouts import failure, run

if TYPE_CHECKING:
    from infra.checks.result import CheckResult
    from infra.checks.subject import Subject
    from tests.unit.rollout.conftest import Probes

THEN = make_settings(
    services=services(
        routes={"public_port": 9000},
        health={"path": "/healthz"},
        readiness={"field": "state"},
        drain_timeout_seconds=600,
    )
)
"""How the release before was asked: at another port and path, by another field; its requests took longer."""

BRIEF = make_settings(
    services={"acp-ingest": service(drain_timeout_seconds=5)}, checks=dict.fromkeys(SERVICES, "acp-ingest")
)
"""A release before whose services had less time to finish than those of today."""


def moved_stage(**others: Any) -> Stage:
    """Return a rollout to which the settings of other releases are known."""
    stage = make_stage()
    return replace(stage, context=replace(stage.context, others=others or {PREVIOUS: THEN}))


def statuses(**serving: str) -> dict[str, dict[str, Any]]:
    """Return the status of hosts that serve these releases."""
    return {host: {"serving": release, "services": [{"name": "acp-ingest"}]} for host, release in serving.items()}


def asked_as(subject: Subject) -> tuple[set[str], set[tuple[str, str]]]:
    """Return the port of the public address of the ingest service, and health path and readiness field."""
    targets = subject.targets_of("acp-ingest")
    ports = {target.base_url.rpartition(":")[2] for target in targets}
    return ports, {(target.service.health.path, target.service.readiness.field) for target in targets}


AS_THEN = ({"9000"}, {("/healthz", "state")})
AS_TODAY = ({"8000"}, {("/health", "status")})


class TestBefore:
    """What the running release answers before the rollout."""

    def asked(self, probes: Probes, stage: Stage, **serving: str) -> Subject:
        """Return whom it asked where hosts serve these releases."""
        examine_before(stage.context, statuses(**serving))
        return probes.subjects[-1]

    def test_it_is_asked_where_it_is(self, probes: Probes) -> None:
        """By its own port, path and field, and not by those of the release that comes."""
        subject = self.asked(probes, moved_stage(), h1=PREVIOUS, h2=PREVIOUS)
        assert asked_as(subject) == AS_THEN
        assert subject.settings == THEN
        assert {target.service_name for target in subject.targets} == {"acp-ingest"}

    @pytest.mark.parametrize("release", ["v3-c", PREVIOUS], ids=["not recorded", "as today"])
    def test_of_which_nothing_else_is_known_is_asked_as_today(self, probes: Probes, release: str) -> None:
        """Such as what an update has left that was cut off between its commit and the record."""
        others = {PREVIOUS: THEN} if release != PREVIOUS else {"v0-a": THEN}
        assert asked_as(self.asked(probes, moved_stage(**others), h1=release, h2=release)) == AS_TODAY

    def test_hosts_that_differ_are_asked_as_today(self, probes: Probes) -> None:
        """No settings are those of all of them."""
        assert asked_as(self.asked(probes, moved_stage(), h1=PREVIOUS, h2="v3-c")) == AS_TODAY

    def test_a_rollback_asks_what_is_not_recorded_as_today(self, probes: Probes) -> None:
        """And not as the release that it goes back to."""
        subject = self.asked(probes, moved_stage(**{"": THEN}), h1="v3-c", h2="v3-c")
        assert asked_as(subject) == AS_THEN


class TestAfterRevert:
    """What serves again once a release was taken back."""

    def test_it_is_asked_where_it_is(self, probes: Probes, shown: list[str]) -> None:
        """The candidate by its settings, the release before by its own, and it alone may answer."""
        probes.failing = {"candidate"}
        failure(moved_stage(), shown)
        candidate, again = probes.subjects
        assert (candidate.settings.services, probes.occasions[-1]) == (make_settings().services, AFTER_REVERT)
        assert asked_as(again) == AS_THEN
        assert {target.release for target in again.targets} == {again.release} == {PREVIOUS}

    def test_a_job_is_taken_back_where_it_is(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Through the release that serves again, as the candidate is gone."""
        stage, subjects = moved_stage(), []

        def take_back(subject: Subject, _jobs: object) -> list[CheckResult]:
            subjects.append(subject)
            return []

        monkeypatch.setattr(verification, "hand_in_jobs", lambda _subject: {"h1": "job-1"})
        monkeypatch.setattr(verification, "take_back_jobs", take_back)
        for host, answers in stage.answers.items():
            answering = {**answers["start"], "phase": "answering"}
            gone = CandidateError(f"{host}: not ready")
            stage.answer(
                "start",
                lambda request, first=answering, then=gone: first if request["until"] == "answering" else then,
                host=host,
            )
        failure(stage, shown)
        assert [asked_as(subject) for subject in subjects] == [AS_THEN]
        assert subjects[0].release is None

    def test_the_same_release_is_asked_as_it_was_released(self, probes: Probes, shown: list[str]) -> None:
        """One that served before and was only verified again."""
        stage = moved_stage()
        stage.answer("revert", {"reverted": True, "serving": stage.context.release})
        probes.failing = {"candidate"}
        failure(stage, shown)
        assert asked_as(probes.subjects[-1]) == AS_TODAY


@pytest.mark.parametrize(("drained", "seconds"), [(THEN, 600), (BRIEF, 120)], ids=["longer", "shorter"])
def test_the_longer_of_both_drain_limits_is_waited_for(
    probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch, drained: Any, seconds: float
) -> None:
    """The release that is drained has limits of its own."""
    seen: dict[str, float] = {}
    call = FakeClient.call

    def timed(client: FakeClient, command: str, *, timeout_seconds: float, **rest: Any) -> dict[str, Any]:
        seen[command] = timeout_seconds
        return call(client, command, timeout_seconds=timeout_seconds, **rest)

    monkeypatch.setattr(FakeClient, "call", timed)
    run(moved_stage(**{PREVIOUS: drained}), shown)
    assert {seen[command] for command in ("drain", "park")} == {seconds + DRAIN_MARGIN_SECONDS}
