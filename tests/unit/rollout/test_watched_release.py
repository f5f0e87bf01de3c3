from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.canary import Sample
from infra.errors import CheckError, HostUnreachableError, LeaseHeldError, ToolError
from infra.rollout import heartbeat
from infra.rollout.probes import ProbeSamples
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage
from tests.support.settings import make_settings
from tests.unit.rollout.rollouts import canary_stage, failure, run

if TYPE_CHECKING:
    from tests.support.fake_witness import FakeWitness
    from tests.unit.rollout.conftest import Probes


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
