from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from infra.errors import CheckError, HostUnreachableError, LeaseHeldError, ToolError
from infra.rollout import heartbeat
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage
from tests.support.settings import make_settings
from tests.unit.rollout.rollouts import Counters, canary_stage, failure, run

if TYPE_CHECKING:
    from tests.support.fake_witness import FakeWitness
    from tests.unit.rollout.conftest import Probes


class TestCanary:
    """Verdicts of a step."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
        """Return which services are asked by ourselves, and how often."""
        asked: list[tuple[str, int]] = []
        monkeypatch.setattr(
            "infra.rollout.canary.ask_publicly", lambda _, service, count: asked.append((service, count))
        )
        return asked

    def test_too_few_requests_are_asked_by_ourselves(
        self, probes: Probes, shown: list[str], asked: list[tuple[str, int]]
    ) -> None:
        """Insufficient data is no success: the public address is asked until the edge has counted enough."""
        run(canary_stage(requests=10), shown)
        # Two hosts count 20 requests from one reading to the next, the first of which is the users' own.
        assert asked == [("acp-ingest", 50)] * 2 * 2
        assert any("20 requests on the candidate, a verdict needs 50: asking it ourselves" in line for line in shown)

    def test_our_own_questions_show_a_candidate_that_fails(
        self, probes: Probes, shown: list[str], asked: list[tuple[str, int]]
    ) -> None:
        """Users and we are answered by the release before: the verdict comes from the edge's own counters."""
        stage = canary_stage()
        for host in stage.answers:
            failing = Counters(stage.context.release, requests=10, failures=5, good_readings=2)
            stage.answer("counters", failing, host=host)
        assert "canary: acp-ingest: 20 of 60 requests failed on the candidate" in failure(stage, shown).what
        assert len(stage.journal.of("shift")) == 2

    def test_still_too_few_reverts(self, probes: Probes, shown: list[str], asked: list[tuple[str, int]]) -> None:
        """A candidate that gets none of our requests is asked for three times as often as its share wants."""
        assert "0 requests on the candidate, a verdict needs 50" in failure(canary_stage(requests=0), shown).what
        assert asked == [("acp-ingest", 50)] * 30

    def test_failures_of_several_steps_add_up(self, probes: Probes, shown: list[str]) -> None:
        """Each step alone may be chance, all together are not."""
        stage = canary_stage()
        for host, failures in zip(stage.answers, (2, 3), strict=True):
            stage.answer("counters", Counters(stage.context.release, failures=failures), host=host)
        assert "canary: acp-ingest: 15 of 600 requests failed on the candidate" in failure(stage, shown).what
        assert any("acp-ingest: 200 requests, 5 failed" in line for line in shown)

    def test_a_candidate_that_is_slow_again_reverts(self, probes: Probes, shown: list[str]) -> None:
        """The same step is watched once more, and says the same."""
        stage = canary_stage()
        for host in stage.answers:
            stage.answer("counters", Counters(stage.context.release, took=(5, 50)), host=host)
        assert "canary: acp-ingest: the candidate takes 50 ms on average, current 5 ms (allowed 1.5 times" in (
            failure(stage, shown).what
        )
        assert len(stage.journal.of("shift")) == len(stage.answers), "it is found in the first step"

    def test_a_candidate_that_is_slow_once_goes_on(self, probes: Probes, shown: list[str]) -> None:
        """Cold caches are no reason to revert."""
        stage = canary_stage()
        for host in stage.answers:
            stage.answer("counters", Counters(stage.context.release, took=(5, 50, 5)), host=host)
        run(stage, shown)
        assert sum(line.endswith(": watching it again") for line in shown) == 1
        assert stage.journal.of("commit")

    def test_a_service_that_the_candidate_does_not_have_is_not_judged(
        self, probes: Probes, shown: list[str], asked: list[tuple[str, int]]
    ) -> None:
        """The edge goes on counting for the services of earlier releases."""
        stage = canary_stage()
        for host in stage.answers:
            stage.answer("counters", Counters(stage.context.release, services=("acp-ingest", "old-web")), host=host)
        run(stage, shown)
        assert asked == []

    @pytest.fixture
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look again at once at a candidate that does not answer."""
        monkeypatch.setattr("infra.rollout.standstill.LOOK_SECONDS", 0.001)

    @pytest.mark.usefixtures("probes", "hurried")
    def test_a_candidate_that_never_answers_reverts(self, shown: list[str]) -> None:
        """Requests that hang have neither failed nor taken any time yet."""
        stage = canary_stage()
        for host in stage.answers:
            stage.answer("counters", Counters(stage.context.release, waiting=(0, 20)), host=host)
        assert "acp-ingest: 40 of 600 requests wait for an answer of the candidate (current 0 of 5400)" in (
            failure(stage, shown).what
        )
        assert [call.request["hanging"] for call in stage.journal.of("revert")] == [["acp-ingest"]] * 2

    @pytest.mark.usefixtures("probes", "hurried")
    def test_a_candidate_that_stands_still_for_a_moment_goes_on(self, shown: list[str]) -> None:
        """What waited at the end of a step, and is answered soon after, is no reason to revert."""
        stage = canary_stage()
        for host in stage.answers:
            stage.answer("counters", Counters(stage.context.release, waiting=(0, 20, 20, 0)), host=host)
        run(stage, shown)
        assert any("acp-ingest: 200 requests, 0 failed" in line for line in shown)


class TestStandstill:
    """A release that takes all the traffic and does not answer it."""

    @pytest.fixture
    def hanging(self, monkeypatch: pytest.MonkeyPatch) -> Stage:
        """Return a blue-green release whose public checks are asked in vain for a long time, looked at at once."""
        over = threading.Event()

        def examine(*_: object) -> None:
            over.wait(10)
            threading.Event().wait(0.05)
            self.removed.append("what the checks made")

        self.removed: list[str] = []
        monkeypatch.setattr("infra.rollout.standstill.LOOK_SECONDS", 0.001)
        monkeypatch.setattr("infra.rollout.driver.examine_public", examine)
        monkeypatch.setattr("infra.rollout.revert.failures_after_revert", lambda *_: over.set() or [])
        return make_stage()

    @pytest.mark.usefixtures("probes")
    def test_its_checks_are_not_waited_for(self, hanging: Stage, shown: list[str]) -> None:
        """The hosts go back before the users give up, and kill what hangs."""
        for host in hanging.answers:
            hanging.answer("counters", Counters(hanging.context.release, waiting=(0, 20)), host=host)
        assert "acp-ingest: 40 of " in failure(hanging, shown).what
        assert [call.request["hanging"] for call in hanging.journal.of("revert")] == [["acp-ingest"]] * 2
        assert self.removed, "they remove what they made once they are answered"

    @pytest.mark.usefixtures("probes")
    def test_a_host_that_does_not_tell_is_judged_by_its_renewals(self, hanging: Stage, shown: list[str]) -> None:
        """One look that fails is no verdict on the release."""
        told = Counters(hanging.context.release, waiting=(0, 20))
        lost = iter([False, False, True])
        hanging.answer("counters", lambda request: _lost() if next(lost, False) else told(request))
        assert "requests wait for an answer" in failure(hanging, shown).what


def _lost() -> None:
    raise HostUnreachableError("h1 is not reachable")


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
