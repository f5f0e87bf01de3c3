from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.occasion import CANDIDATE, PUBLIC
from infra.checks.suite import Examination
from infra.domain.canary import Sample
from infra.domain.load_report import LoadReport
from infra.domain.regression import Judgement, Verdict
from infra.errors import (
    CandidateError,
    CheckError,
    HostError,
    HostUnreachableError,
    LeaseHeldError,
    RolloutError,
    ToolError,
)
from infra.rollout import driver, heartbeat
from infra.rollout.driver import Rollout
from infra.rollout.probes import ProbeSamples
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.checks.occasion import Occasion
    from infra.checks.subject import Subject
    from tests.support.fake_witness import FakeWitness
    from tests.unit.rollout.conftest import Probes

RETIRE = ["drain", "park", "prune"]
CANARY = {"strategy": "canary", "canary": {"steps": [10, 50], "bake_seconds": 0.001, "min_requests": 50}}


def canary_stage(*, requests: int = 100, rollback_to: str | None = None, **keywords: Any) -> Stage:
    """Return a canary over two hosts, each of which reports so many good requests per step."""
    settings = make_settings(
        rollout=CANARY,
        rollback_to=rollback_to,
        secrets={"prefix": "LOCAL_", "names": ["SECRET_KEY", "DATABASE_URL"]},
    )
    stage = make_stage(settings, **keywords)
    for host in stage.answers:
        stage.answer("counters", Counters(stage.context.release, requests=requests), host=host)
    return stage


class Counters:
    """Counters that grow with every reading."""

    def __init__(self, release: str, *, requests: int = 100, failures: int = 0) -> None:
        """Let `release` handle so many requests from one reading to the next."""
        self.release, self.requests, self.failures, self.readings = release, requests, failures, 0

    def __call__(self, _request: Any) -> dict[str, Any]:
        """Return the next reading."""
        self.readings += 1
        grown = {"requests": self.requests * self.readings, "failures": self.failures * self.readings}
        good = {"requests": 900 * self.readings, "failures": 0, "time_ms_average": 5}
        return {"services": {"acp-ingest": {self.release: {**grown, "time_ms_average": 5}, PREVIOUS: good}}}


def run(stage: Stage, shown: list[str]) -> dict[str, Any]:
    """Run the rollout."""
    try:
        return Rollout(stage.context, shown.append).run()
    finally:
        assert stage.journal.unexpected == []


def failure(stage: Stage, shown: list[str]) -> RolloutError:
    """Return the error that the rollout ends with."""
    with pytest.raises(RolloutError) as caught:
        run(stage, shown)
    return caught.value


def verdict_on_search(verdict: Verdict) -> Judgement:
    """Return the verdict of a comparison."""
    return Judgement(
        service="acp-ingest",
        request="POST /api/v1/search",
        verdict=verdict,
        reason="as told",
        pairs=20,
        confidence=0.95,
    )


def load_report(*, missed: list[str]) -> LoadReport:
    """Return the report of a load test."""
    return LoadReport(
        stack="local", release="v1.4.2-1a2b3c4d", images=(), profile="light", scenario="mixed",
        started_at="2026-11-24T10:00:00Z", seconds=15, k6="1.8.1", missed=missed, failed_checks={}, scenarios=(),
        endpoints=(),
    )  # fmt: skip


class TestGoodRelease:
    """Nothing goes wrong."""

    def test_blue_green_goes_step_by_step_on_all_hosts(self, probes: Probes, shown: list[str]) -> None:
        """Each host is told the same, in order, and no host is ahead of another before the commit."""
        stage = make_stage()
        run(stage, shown)
        for host in ("h1", "h2"):
            assert stage.journal.commands(host) == ["start", "cutover", "commit", *RETIRE, "lease"]
        assert stage.journal.steps()[:3] == ["start", "cutover", "commit"]

    def test_the_candidate_is_verified_alone_and_then_in_public(self, probes: Probes, shown: list[str]) -> None:
        """Every web service of every host is asked through the tunnel, later through its public port."""
        stage = make_stage()
        run(stage, shown)
        names = [name for name, _ in probes.asked]
        each = [f"acp-{service} on {host}" for host in ("h1", "h2") for service in ("ingest", "agents")]
        assert names == [f"candidate {name}" for name in each for _ in range(2)] + [n for n in each for _ in range(2)]
        assert {release for _, release in probes.asked} == {stage.context.release}
        assert probes.occasions == [CANDIDATE, PUBLIC]

    def test_the_candidates_answer_is_asked_for_again_in_public(self, probes: Probes, shown: list[str]) -> None:
        """The job that the candidate's agents answered before traffic is what the public address must know."""
        run(make_stage(), shown)
        alone, public = probes.subjects
        assert alone.jobs == {}
        assert public.jobs == {"h1": "job-1"}

    def test_a_warning_is_shown_and_reported(self, probes: Probes, shown: list[str]) -> None:
        """A check that is no reason to stop is said, kept in the report, and the release is made."""
        probes.failing, probes.severity = {"acp-agents on h2"}, "warning"
        report = run(make_stage(), shown)
        failed = [check for check in report["checks"] if not check["passed"]]
        assert [(check["target"], check["severity"]) for check in failed] == [("acp-agents on h2", "warning")] * 2
        assert sum(line.startswith("warning: warning health of acp-agents on h2") for line in shown) == 1

    def test_a_start_has_spec_secrets_login_and_lease(self, probes: Probes, shown: list[str]) -> None:
        """The candidate gets the app's secrets, the registry's only as login, and each host its own lease."""
        stage = make_stage()
        run(stage, shown)
        for call in stage.journal.of("start"):
            assert call.request["spec"] == stage.context.spec
            assert sorted(call.request["secrets"]) == ["DATABASE_URL", "SECRET_KEY"]
            assert call.request["registry"]["password"] == "s3cr3t-registry"
            assert call.request["lease"] == {"holder": "run-1", "fence": 7}
            assert call.request["confirm_timeout_seconds"] == 120

    def test_the_report_says_what_happened(self, probes: Probes, shown: list[str]) -> None:
        """Previous release, checks, timeline and warnings are in the report, and the steps are shown as they come."""
        report = run(make_stage(), shown)
        assert report["previous"] == PREVIOUS
        assert len(report["checks"]) == 16
        assert list(report["timeline"]) == [
            "candidate ready",
            "candidate verified",
            "all traffic on the candidate",
            "public address verified",
            "committed",
            "previous release drained and parked",
        ]
        assert report["warnings"] == []
        assert len(shown) == 6

    def test_no_secret_is_shown_or_reported(self, probes: Probes, shown: list[str]) -> None:
        """Neither the report nor a line for the user has a secret value."""
        report = run(make_stage(), shown)
        assert "s3cr3t" not in f"{report} {shown}"

    def test_a_canary_moves_by_judged_steps(self, probes: Probes, shown: list[str]) -> None:
        """Weight, counters before and after the bake, a trial that still runs, next weight, and the cutover last."""
        stage = canary_stage()
        run(stage, shown)
        baked = ["shift", "counters", "renew", "counters"]
        assert stage.journal.commands("h1") == ["start", *baked, *baked, "cutover", "commit", *RETIRE, "lease"]
        assert [call.request["weight"] for call in stage.journal.of("shift")] == [10, 50, 10, 50]
        assert any("200 requests, 0 failed" in line for line in shown)

    def test_a_rollback_goes_at_once(self, probes: Probes, shown: list[str]) -> None:
        """No step of a canary is served by the release that is being taken back."""
        stage = canary_stage(rollback_to="v1.4.1-00000000")
        run(stage, shown)
        assert "shift" not in stage.journal.steps()

    def test_the_audit_chain_is_anchored_by_the_commit(self, probes: Probes, shown: list[str]) -> None:
        """Every host gets the head, and the report has it with each host's place in its journal."""
        stage = make_stage()
        report = run(stage, shown)
        anchors = [call.request["anchor"] for call in stage.journal.of("commit")]
        assert anchors[0] == anchors[1]
        assert anchors[0]["run_id"] == "run-1"
        assert report["audit"]["intent"] == anchors[0]["intent"]

    def test_a_first_release_has_nothing_to_be_judged_against(self, probes: Probes, shown: list[str]) -> None:
        """A canary without a previous release goes to the cutover at once."""
        stage = canary_stage(previous=None)
        report = run(stage, shown)
        assert stage.journal.commands("h1") == ["start", "cutover", "commit", *RETIRE, "lease"]
        assert report["previous"] is None

    def test_a_release_that_serves_already_is_only_verified(self, probes: Probes, shown: list[str]) -> None:
        """After a run that ended between commit and record, the next moves nothing, checks the public and goes on."""
        stage = make_stage()
        stage.answer("start", {"phase": "serving", "verify": {}, "previous": PREVIOUS})
        report = run(stage, shown)
        assert stage.journal.commands("h1") == ["start", *RETIRE, "lease"]
        assert len(probes.asked) == 8
        assert "candidate verified" not in report["timeline"]

    def test_a_host_that_serves_already_waits_for_the_others(self, probes: Probes, shown: list[str]) -> None:
        """When a run before ended between the commits of two hosts, only the host on trial is moved."""
        stage = make_stage()
        stage.answer("start", {"phase": "serving", "verify": {}, "previous": PREVIOUS}, host="h1")
        run(stage, shown)
        assert stage.journal.commands("h1") == ["start", *RETIRE, "lease"]
        assert stage.journal.commands("h2") == ["start", "cutover", "commit", *RETIRE, "lease"]

    def test_cut_requests_are_a_warning(self, probes: Probes, shown: list[str]) -> None:
        """Requests that did not end within the drain limit are reported."""
        stage = make_stage()
        stage.answer("drain", {"cut": [{"service": "acp-agents", "sessions": 2}]}, host="h2")
        report = run(stage, shown)
        assert report["warnings"] == ["h2: 2 requests of acp-agents were cut at the drain limit"]
        assert "warning: h2: 2 requests of acp-agents were cut at the drain limit" in shown

    def test_the_candidate_is_compared_before_it_gets_traffic(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the hosts answered to `start` is compared after the checks and before the cutover, and reported."""
        stage = make_stage()
        seen: list[tuple[set[str], list[str]]] = []

        def compared(_context: Any, answers: dict[str, Any], _show: Any) -> list[Judgement]:
            seen.append((set(answers), stage.journal.commands("h1")))
            return [verdict_on_search(Verdict.FINE)]

        monkeypatch.setattr(driver, "compare_releases", compared)
        report = run(stage, shown)
        assert seen == [({"h1", "h2"}, ["start"])]
        assert report["regression"] == [verdict_on_search(Verdict.FINE).to_json()]
        steps = list(report["timeline"])
        assert steps.index("candidate verified") + 1 == steps.index("candidate compared with the current release")

    def test_a_candidate_that_fails_its_checks_is_not_compared(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is refused anyway is not measured, and the checks are the reason."""
        probes.failing = {"candidate"}
        monkeypatch.setattr(driver, "compare_releases", lambda *_: pytest.fail("it was compared"))
        assert "checks of the candidate failed" in failure(make_stage(), shown).what

    def test_a_check_that_fails_last_goes_before_the_comparison(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer of the agents that never comes is the reason, however well the candidate compares."""
        good = probes.examine

        def examine(subject: Subject, occasion: Occasion, *, on_quiet: Any = None) -> Examination:
            if on_quiet is not None:
                on_quiet(good(subject, occasion).results)
                probes.failing = {"candidate"}
            return good(subject, occasion)

        monkeypatch.setattr("infra.rollout.verification.examine", examine)
        monkeypatch.setattr(driver, "compare_releases", lambda *_: [verdict_on_search(Verdict.WORSE)])
        assert "checks of the candidate failed" in failure(make_stage(), shown).what

    def test_load_is_put_on_the_release_in_public_before_the_commit(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """k6 runs when all traffic is on the candidate, and the release can still be reverted."""
        stage = make_stage()
        seen: list[list[str]] = []

        def loaded(_context: Any, _show: Any) -> LoadReport:
            seen.append(stage.journal.commands("h1"))
            return load_report(missed=[])

        monkeypatch.setattr(driver, "load_release", loaded)
        report = run(stage, shown)
        assert seen == [["start", "cutover"]]
        assert report["load"] == [load_report(missed=[]).to_json()]
        assert list(report["timeline"]).index("release stood its load") == 4

    def test_a_drain_that_fails_is_a_warning(self, probes: Probes, shown: list[str]) -> None:
        """After the commit the release serves: what cannot be drained does not take it back."""
        stage = make_stage()
        stage.answer("drain", HostUnreachableError("h2 is not reachable"), host="h2")
        report = run(stage, shown)
        assert report["warnings"] == ["h2: h2 is not reachable; the host finishes this by itself"]
        assert stage.journal.of("revert") == []
        assert stage.journal.commands("h1") == ["start", "cutover", "commit", *RETIRE, "lease"]


def fail_candidate_probes(stage: Stage, probes: Probes) -> None:
    """Let the candidate's own checks fail."""
    probes.failing = {"candidate acp-agents on h2"}


def fail_public_probes(stage: Stage, probes: Probes) -> None:
    """Let the checks of the public address fail, for the new release only."""
    probes.failing = {"acp-agents on h2"}


def fail_verdict(stage: Stage, probes: Probes) -> None:
    """Let the candidate fail one in ten requests."""
    stage.answer("counters", Counters(stage.context.release, failures=10), host="h1")


def fail_answer(command: str, error: BaseException) -> Any:
    """Return what lets `command` fail on h2."""
    return lambda stage, _probes: stage.answer(command, error, host="h2")


class TestBadRelease:
    """Something goes wrong before the commit is complete."""

    @pytest.mark.parametrize(
        ("bend", "reason"),
        [
            pytest.param(fail_answer("start", CandidateError("h2: crash loop")), "h2: crash loop", id="start"),
            pytest.param(fail_candidate_probes, "2 of 8 checks of the candidate failed", id="candidate check"),
            pytest.param(fail_answer("shift", HostError("h2: edge failed")), "h2: edge failed", id="shift"),
            pytest.param(fail_answer("counters", HostUnreachableError("h2: gone")), "h2: gone", id="counters"),
            pytest.param(fail_verdict, "canary: acp-ingest: 10 of 200 requests failed", id="verdict"),
            pytest.param(fail_answer("cutover", HostError("h2: trial over")), "h2: trial over", id="cutover"),
            pytest.param(fail_public_probes, "2 of 8 checks of the public address failed", id="public check"),
            pytest.param(fail_answer("commit", HostUnreachableError("h2: gone")), "h2: gone", id="commit of one host"),
            pytest.param(fail_answer("cutover", KeyError("weight")), "KeyError: 'weight'", id="a bug of ours"),
            pytest.param(fail_answer("cutover", KeyboardInterrupt()), "KeyboardInterrupt", id="interrupted"),
        ],
    )
    def test_whatever_fails_every_host_goes_back(
        self, probes: Probes, shown: list[str], bend: Any, reason: str
    ) -> None:
        """Each host is told to revert, once, with the reason and its lease; then the leases are given back."""
        stage = canary_stage()
        bend(stage, probes)
        error = failure(stage, shown)
        assert reason in error.what
        assert error.exit_code == 60
        reverts = stage.journal.of("revert")
        assert [call.host for call in reverts] == ["h1", "h2"]
        for call in reverts:
            assert call.request["release"] == stage.context.release
            assert reason in call.request["reason"]
            assert call.request["lease"] == {"holder": "run-1", "fence": 7}
        for host in ("h1", "h2"):
            assert stage.journal.commands(host)[-2:] == ["revert", "lease"]
            assert not set(stage.journal.commands(host)) & set(RETIRE)

    @pytest.mark.parametrize(
        ("step", "result", "reason"),
        [
            pytest.param(
                "compare_releases",
                verdict_on_search(Verdict.WORSE),
                "the candidate is not as good as the current release",
                id="comparison",
            ),
            pytest.param(
                "load_release",
                load_report(missed=["p(95)<1"]),
                "the release does not stand the load of profile light",
                id="load",
            ),
        ],
    )
    def test_a_release_that_is_too_slow_is_reverted(
        self, probes: Probes, witness: FakeWitness, shown: list[str], monkeypatch: pytest.MonkeyPatch,
        step: str, result: Any, reason: str,
    ) -> None:  # fmt: skip
        """The comparison refuses before any traffic, the load before the commit; reason and figures are reported."""
        is_load = step == "load_release"
        stage = make_stage()
        monkeypatch.setattr(driver, step, lambda *_: result if is_load else [result])
        error = failure(stage, shown)
        assert f"  reason: {reason}" in error.what.splitlines()
        told = ["start", "cutover"] if is_load else ["start"]
        assert stage.journal.commands("h2") == [*told, "revert", "lease"]
        assert witness.reports[-1]["load" if is_load else "regression"] == [result.to_json()]

    def test_the_error_has_reason_hosts_and_what_serves(self, probes: Probes, shown: list[str]) -> None:
        """The message says which release was not made and why, and for each host what serves now."""
        stage = make_stage()
        stage.answer("cutover", HostError("h2: edge failed", where="host h2", mend="look at the edge"), host="h2")
        error = failure(stage, shown)
        assert error.what.splitlines() == [
            f"the release {stage.context.release} was not made",
            "  reason: h2: edge failed",
            f"  h1: reverted in 0.05 s, serving {PREVIOUS}",
            f"  h2: reverted in 0.05 s, serving {PREVIOUS}",
            f"  {PREVIOUS} answers on every public address",
        ]
        assert (error.where, error.mend) == ("host h2", "look at the edge")
        assert shown[-1] == "reverting: h2: edge failed"

    def test_failed_checks_are_the_evidence(self, probes: Probes, shown: list[str]) -> None:
        """Each failed check stands in the error with what was asked and what came."""
        probes.failing = {"candidate acp-agents on h2"}
        what = failure(make_stage(), shown).what
        assert "    FAILED readiness of candidate acp-agents on h2: GET /readiness → status 503 (0.10 s)" in what
        assert "acp-ingest on h1" not in what

    def test_what_was_down_before_is_told_apart(self, probes: Probes, shown: list[str]) -> None:
        """A failure of something that was at fault before the release began says so; any other does not."""
        probes.failing = {"candidate"}
        stage = make_stage()
        what = failure(replace(stage, context=replace(stage.context, before=("acp-agents",))), shown).what
        lines = [line for line in what.splitlines() if line.strip().startswith("FAILED")]
        assert lines
        assert all(("it was so before the release" in line) == ("acp-agents" in line) for line in lines)

    def test_the_reason_on_the_hosts_names_what_is_at_fault(self, probes: Probes, shown: list[str]) -> None:
        """The journal of a host gets the dependency, not only a count."""
        probes.failing = {"candidate acp-agents on h2"}
        stage = make_stage()
        failure(stage, shown)
        expected = "2 of 8 checks of the candidate failed; at fault: acp-agents"
        assert {call.request["reason"] for call in stage.journal.of("revert")} == {expected}

    def test_the_reason_on_the_hosts_is_one_short_line(self, probes: Probes, shown: list[str]) -> None:
        """Journals get the first line of the reason, cut to 200 characters."""
        stage = make_stage()
        stage.answer("cutover", HostError("x" * 300 + "\nsecond line"), host="h1")
        failure(stage, shown)
        assert {call.request["reason"] for call in stage.journal.of("revert")} == {"x" * 200}

    def test_the_old_release_is_verified_after_the_revert(self, probes: Probes, shown: list[str]) -> None:
        """When the old release does not answer either, the error says so, check by check."""
        probes.failing = {PREVIOUS, "candidate"}
        what = failure(make_stage(), shown).what
        assert "answers on every public address" not in what
        assert "  FAILED health of acp-ingest on h1: GET /health → status 503 (0.10 s)" in what

    def test_a_first_release_leaves_nothing_serving(self, probes: Probes, shown: list[str]) -> None:
        """Without an earlier release the error says that nothing serves, and asks nobody."""
        stage = make_stage(previous=None)
        probes.failing = {"candidate"}
        what = failure(stage, shown).what
        assert "  h1: reverted in 0.05 s, serving nothing (there was no release before)" in what
        assert not [name for name, _ in probes.asked if not name.startswith("candidate")]

    def test_a_host_that_cannot_be_reached_reverts_by_itself(self, probes: Probes, shown: list[str]) -> None:
        """The others are reverted, and the error says what becomes of the lost one."""
        stage = make_stage()
        stage.answer("cutover", HostUnreachableError("h2 is not reachable"), host="h2")
        stage.answer("revert", HostUnreachableError("h2 is not reachable"), host="h2")
        what = failure(stage, shown).what
        assert f"  h1: reverted in 0.05 s, serving {PREVIOUS}" in what
        assert "  h2: h2 is not reachable; it reverts by itself at its deadline" in what

    def test_a_host_without_a_trial_is_untouched(self, probes: Probes, shown: list[str]) -> None:
        """A host that never got the candidate is said to be untouched."""
        stage = make_stage()
        stage.answer("start", CandidateError("h2: crash loop"), host="h2")
        stage.answer("revert", {"reverted": False, "serving": PREVIOUS}, host="h2")
        assert f"  h2: untouched, serving {PREVIOUS}" in failure(stage, shown).what

    def test_what_a_host_saw_itself_is_told(self, probes: Probes, shown: list[str]) -> None:
        """Why a candidate died stands beside what the driver measured, whoever reverted it."""
        stage = make_stage()
        probes.failing = {"candidate"}
        killed = "acp-v2-ingest-1 was killed: it used more memory than its limit"
        stage.answer("revert", {"reverted": False, "serving": PREVIOUS, "trouble": killed}, host="h1")
        stage.answer(
            "revert", {"reverted": True, "serving": PREVIOUS, "restore_seconds": 0.05, "trouble": killed}, host="h2"
        )
        what = failure(stage, shown).what
        assert f"  h1: had reverted by itself, serving {PREVIOUS}; {killed}" in what
        assert f"  h2: reverted in 0.05 s, serving {PREVIOUS}; {killed}" in what

    def test_a_tunnel_that_does_not_open_reverts(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A candidate that cannot be asked is not released."""

        @contextlib.contextmanager
        def forwarded(*_arguments: Any) -> Any:
            raise HostUnreachableError("h1: no tunnel")
            yield

        monkeypatch.setattr("infra.checks.subject.forwarded", forwarded)
        stage = make_stage()
        assert "h1: no tunnel" in failure(stage, shown).what
        assert stage.journal.of("cutover") == []

    def test_nothing_to_check_is_no_success(self, probes: Probes, shown: list[str], monkeypatch: Any) -> None:
        """A check that checked nothing does not pass a release."""
        monkeypatch.setattr("infra.rollout.verification.examine", lambda *_, **__: Examination(results=()))
        assert "there was nothing to check of the candidate" in failure(make_stage(), shown).what

    def test_no_secret_is_in_the_error(self, probes: Probes, shown: list[str]) -> None:
        """Whatever fails, the message has no secret value."""
        probes.failing = {"candidate"}
        error = failure(make_stage(), shown)
        assert "s3cr3t" not in f"{error} {error!r} {shown}"

    def test_two_failing_hosts_are_both_in_the_reason(self, probes: Probes, shown: list[str]) -> None:
        """The reason names every host that failed."""
        stage = make_stage()
        for host in ("h1", "h2"):
            stage.answer("cutover", HostError(f"{host}: edge failed"), host=host)
        what = failure(stage, shown).what
        assert "h1: edge failed" in what
        assert "h2: edge failed" in what


class TestCanary:
    """Verdicts of a step."""

    def test_too_few_requests_are_asked_by_ourselves(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Insufficient data is no success: probes ask until there is a verdict."""
        stage = canary_stage(requests=1)
        asked: list[tuple[str, int]] = []

        def samples(_context: Any, service: str, count: int) -> ProbeSamples:
            asked.append((service, count))
            good = Sample(requests=count, failures=0, mean_ms=5)
            return ProbeSamples(candidate=good, current=good)

        monkeypatch.setattr("infra.rollout.canary.probe_samples", samples)
        run(stage, shown)
        assert asked == [("acp-ingest", 50)] * 2
        assert any("2 requests on the candidate, a verdict needs 50: asking it ourselves" in line for line in shown)

    @pytest.mark.parametrize(
        "found",
        [Sample(requests=50, failures=25, mean_ms=5), Sample(requests=3, failures=0, mean_ms=5)],
        ids=["bad", "still too few"],
    )
    def test_probes_that_do_not_pass_revert(
        self, probes: Probes, shown: list[str], monkeypatch: pytest.MonkeyPatch, found: Sample
    ) -> None:
        """A bad answer to our own questions, or still too few, ends the canary."""
        stage = canary_stage(requests=1)
        current = Sample(requests=50, failures=0, mean_ms=5)
        monkeypatch.setattr(
            "infra.rollout.canary.probe_samples", lambda *_: ProbeSamples(candidate=found, current=current)
        )
        assert "canary: acp-ingest" in failure(stage, shown).what
        assert len(stage.journal.of("shift")) == 2


class TestHeartbeat:
    """Renewals while the driver works."""

    def slow_canary(self) -> Stage:
        """Return a canary that would bake for half a minute, renewed every millisecond."""
        canary = {"steps": [10], "bake_seconds": 30}
        rollout = {"strategy": "canary", "canary": canary, "confirm_timeout_seconds": 0.004}
        settings = make_settings(rollout=rollout, secrets={"prefix": "LOCAL_", "names": ["SECRET_KEY", "DATABASE_URL"]})
        stage = make_stage(settings)
        stage.answer("counters", {"services": {}})
        return stage

    def test_a_lost_lease_stops_the_rollout(self, probes: Probes, shown: list[str]) -> None:
        """A refused renewal ends the bake at once and reverts."""
        stage = self.slow_canary()
        stage.answer("renew", LeaseHeldError("h2: the lease went to somebody else"), host="h2")
        error = failure(stage, shown)
        assert "h2: the lease went to somebody else" in error.what
        assert stage.journal.of("cutover") == []
        assert len(stage.journal.of("revert")) == 2

    def test_a_silent_host_stops_it_after_some_renewals(self, probes: Probes, shown: list[str]) -> None:
        """One lost packet is no verdict; a host that stays silent is."""
        stage = self.slow_canary()
        stage.answer("renew", HostUnreachableError("h1 is not reachable"), host="h1")
        assert "h1 is not reachable" in failure(stage, shown).what
        renewals = [call for call in stage.journal.of("renew") if call.host == "h1"]
        assert len(renewals) == heartbeat.UNREACHABLE_LIMIT

    def test_a_renewal_has_release_and_lease(self, probes: Probes, shown: list[str]) -> None:
        """Each host is told which release is on trial and whose lease it is."""
        stage = self.slow_canary()
        stage.answer("renew", LeaseHeldError("enough"), host="h1")
        failure(stage, shown)
        assert stage.journal.of("renew")[0].request == {
            "release": stage.context.release,
            "lease": {"holder": "run-1", "fence": 7},
        }


class TestWitness:
    """What is watched beside the rollout."""

    def test_the_whole_rollout_is_watched(self, probes: Probes, witness: FakeWitness, shown: list[str]) -> None:
        """The watch begins before the first step, judges before the commit, and its findings are in the report."""
        report = run(make_stage(), shown)
        assert witness.calls == ["begin", "watch", "judge", "end"]
        assert report["certificate"] == {"sent": 100}
        assert report["previous"] == PREVIOUS

    def test_a_loss_before_the_commit_reverts(self, probes: Probes, witness: FakeWitness, shown: list[str]) -> None:
        """Every host goes back, nothing is committed, and the report has the reason."""
        witness.early = CheckError("3 of 100 requests of the certificate's probe were lost")
        stage = make_stage()
        assert "3 of 100 requests" in failure(stage, shown).what
        assert stage.journal.of("commit") == []
        assert len(stage.journal.of("revert")) == 2
        assert "3 of 100 requests" in witness.reports[0]["reason"]
        assert witness.calls[-1] == "end"

    def test_a_watch_that_cannot_begin_reverts(self, probes: Probes, witness: FakeWitness, shown: list[str]) -> None:
        """Without a witness the candidates that wait on the hosts are taken back."""
        witness.absent = ToolError("the certificate's probe did not start")
        stage = make_stage()
        assert "did not start" in failure(stage, shown).what
        assert len(stage.journal.of("revert")) == 2

    def test_each_step_of_a_canary_is_judged(self, probes: Probes, witness: FakeWitness, shown: list[str]) -> None:
        """A loss in the first step does not wait for the last."""
        witness.early = CheckError("lost")
        stage = canary_stage()
        failure(stage, shown)
        assert len(stage.journal.of("shift")) == 2
        assert stage.journal.of("cutover") == []

    def test_a_loss_in_the_drain_fails_without_a_revert(
        self, probes: Probes, witness: FakeWitness, shown: list[str]
    ) -> None:
        """The release is committed and stays; the update fails, and the leases are given back."""
        witness.late = CheckError("v2 is committed and serves, but 1 of 100 requests was lost")
        stage = make_stage()
        with pytest.raises(CheckError, match="is committed and serves"):
            run(stage, shown)
        assert stage.journal.of("revert") == []
        assert [call.request["action"] for call in stage.journal.of("lease")] == ["release", "release"]
        assert witness.calls[-1] == "end"
