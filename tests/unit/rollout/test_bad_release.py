from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.suite import Examination
from infra.domain.regression import Verdict
from infra.errors import CandidateError, HostError, HostUnreachableError
from infra.rollout import driver
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage
from tests.unit.rollout.rollouts import RETIRE, Counters, canary_stage, failure, load_report, verdict_on_search

if TYPE_CHECKING:
    from tests.support.fake_witness import FakeWitness
    from tests.unit.rollout.conftest import Probes


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
        told = ["start", "cutover", "counters"] if is_load else ["start"]
        assert stage.journal.commands("h2") == [*told, "revert", "lease"]
        assert witness.reports[-1]["load" if is_load else "regression"] == [result.to_json()]

    @pytest.mark.parametrize(
        ("recorded", "command", "trial_only"),
        [
            pytest.param("this", "start", {"h1": True, "h2": True}, id="recorded, one candidate never there"),
            pytest.param("this", "commit", {"h1": True, "h2": False}, id="recorded, committed where it was on trial"),
            pytest.param("another", "start", {"h1": False, "h2": False}, id="not recorded"),
            pytest.param("another", "commit", {"h1": False, "h2": False}, id="not recorded, committed"),
        ],
    )
    def test_a_recorded_release_stays_where_it_served_before(
        self, probes: Probes, shown: list[str], recorded: str, command: str, trial_only: dict[str, bool]
    ) -> None:
        """What the record has goes on serving on hosts that this run did not bring it to, whatever fails elsewhere."""
        made = make_stage()
        release = made.context.release
        context = replace(made.context, recorded=release if recorded == "this" else PREVIOUS)
        stage = replace(made, context=context)
        stage.answer("start", {"release": release, "phase": "serving", "verify": {}, "previous": PREVIOUS}, host="h1")
        stage.answer(command, HostUnreachableError(f"h2: no {command}"), host="h2")
        error = failure(stage, shown)
        assert {call.host: call.request["trial_only"] for call in stage.journal.of("revert")} == trial_only
        missed = "not verified again" if recorded == "this" else "not made"
        assert error.what.startswith(f"the release {release} was {missed}\n")

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

    @pytest.mark.parametrize(
        ("failing", "restored"),
        [
            pytest.param({"candidate"}, PREVIOUS, id="it answers"),
            pytest.param({PREVIOUS, "candidate"}, "", id="it fails"),
        ],
    )
    def test_the_old_release_is_restored_only_when_it_answers(
        self, probes: Probes, shown: list[str], failing: set[str], restored: str
    ) -> None:
        """A release that was just seen failing is not said to serve; what it fails stands right after the cause."""
        probes.failing = failing
        error = failure(make_stage(), shown)
        first, second, *_ = error.reason.splitlines()
        assert error.restored == restored
        assert "checks of the candidate failed" in first
        evidence = "FAILED readiness of acp-ingest on h1: GET /readiness → status 503 (0.10 s)"
        assert (second == f"after the revert: {evidence}") is not bool(restored)

    def test_a_warning_of_the_old_release_is_not_a_failure(self, probes: Probes, shown: list[str]) -> None:
        """What would not stop a release does not make a revert a bad one; it stands in the error."""
        stage = make_stage()
        stage.answer("cutover", HostError("h2: edge failed"), host="h2")
        probes.failing, probes.severity = {PREVIOUS}, "warning"
        error = failure(stage, shown)
        assert (error.restored, error.reason) == (PREVIOUS, "h2: edge failed")
        assert "  warning health of acp-ingest on h1" in error.what

    def test_a_host_that_was_not_reverted_is_in_the_reason(self, probes: Probes, shown: list[str]) -> None:
        """Nothing is restored while a host is not known to be back, and people are told which."""
        stage = make_stage()
        for command in ("cutover", "revert"):
            stage.answer(command, HostUnreachableError("h2 is not reachable"), host="h2")
        error = failure(stage, shown)
        assert error.restored == ""
        assert error.reason.splitlines()[1] == "h2: h2 is not reachable; it reverts by itself at its deadline"

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

    def test_a_host_that_may_have_committed_is_not_said_to_revert(self, probes: Probes, shown: list[str]) -> None:
        """Once it is committed nothing reverts by itself: the error says where to look."""
        stage = make_stage()
        for command in ("commit", "revert"):
            stage.answer(command, HostUnreachableError("h2 is not reachable"), host="h2")
        what = failure(stage, shown).what
        assert "  h2: h2 is not reachable; it may have committed: `acp-release status --stack local`" in what

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
