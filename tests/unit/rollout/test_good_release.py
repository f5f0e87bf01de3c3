from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.occasion import CANDIDATE, PUBLIC, RETURNING
from infra.domain.regression import Judgement, Verdict
from infra.errors import HostUnreachableError
from infra.rollout import driver
from tests.support.fake_hostctl import PREVIOUS, make_stage
from tests.unit.rollout.rollouts import MOVED, RETIRE, canary_stage, failure, load_report, run, verdict_on_search

if TYPE_CHECKING:
    from infra.checks.occasion import Occasion
    from infra.checks.subject import Subject
    from infra.checks.suite import Examination
    from infra.domain.load_report import LoadReport
    from tests.unit.rollout.conftest import Probes


class TestGoodRelease:
    """Nothing goes wrong."""

    def test_blue_green_goes_step_by_step_on_all_hosts(self, probes: Probes, shown: list[str]) -> None:
        """Each host is told the same, in order, and no host is ahead of another before the commit."""
        stage = make_stage()
        run(stage, shown)
        for host in ("h1", "h2"):
            assert stage.journal.commands(host) == ["start", *MOVED, *RETIRE, "lease"]
        assert stage.journal.steps()[:4] == ["start", *MOVED]

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

    def test_what_hosts_say_while_they_wait_is_shown_at_once(self, probes: Probes, shown: list[str]) -> None:
        """Until a candidate is ready may take a minute."""
        run(make_stage(), shown)
        assert sorted(line for line in shown if "at work on start" in line) == [
            "  h1: at work on start",
            "  h2: at work on start",
        ]

    def test_the_report_says_what_happened(self, probes: Probes, shown: list[str]) -> None:
        """Previous release, checks, timeline and warnings are in the report, and the steps are shown as they come."""
        report = run(make_stage(), shown)
        assert report["previous"] == PREVIOUS
        assert len(report["checks"]) == 16
        assert list(report["timeline"]) == [
            "candidate ready",
            "candidate verified but for its agents' answer",
            "candidate verified",
            "all traffic on the candidate",
            "public address verified",
            "committed",
            "previous release drained and parked",
        ]
        assert report["warnings"] == []
        assert sum(" s  " in line for line in shown) == 7

    def test_no_secret_is_shown_or_reported(self, probes: Probes, shown: list[str]) -> None:
        """Neither the report nor a line for the user has a secret value."""
        report = run(make_stage(), shown)
        assert "s3cr3t" not in f"{report} {shown}"

    def test_a_canary_moves_by_judged_steps(self, probes: Probes, shown: list[str]) -> None:
        """Weight, counters before and after the bake, a trial that still runs, next weight, and the cutover last."""
        stage = canary_stage()
        run(stage, shown)
        baked = ["shift", "counters", "counters", "renew"]
        assert stage.journal.commands("h1") == ["start", *baked, *baked, *MOVED, *RETIRE, "lease"]
        assert [call.request["weight"] for call in stage.journal.of("shift")] == [10, 50, 10, 50]
        assert any("200 requests, 0 failed" in line for line in shown)

    def test_a_rollback_goes_at_once(self, probes: Probes, shown: list[str]) -> None:
        """No step of a canary is served by the release that is being taken back."""
        stage = canary_stage(rollback_to="v1.4.1-00000000")
        run(stage, shown)
        assert "shift" not in stage.journal.steps()

    def test_a_rollback_asks_less_of_kept_containers_than_of_new_ones(self, probes: Probes, shown: list[str]) -> None:
        """One host kept the release, the other had to pull it; workers of kept containers come with the cutover."""
        stage = canary_stage(rollback_to="v1.4.1-00000000")
        stage.answer("start", {**stage.answers["h1"]["start"], "warm": True}, host="h1")
        run(stage, shown)
        assert probes.occasions == [RETURNING, CANDIDATE, PUBLIC]
        assert [{target.host for target in subject.targets} for subject in probes.subjects[:2]] == [{"h1"}, {"h2"}]
        assert [call.request["workers_later"] for call in stage.journal.of("start")] == [True, True]

    def test_an_update_asks_kept_containers_for_everything(self, probes: Probes, shown: list[str]) -> None:
        """Settings that were taken back make an earlier release once more; it must pass as a new one does."""
        stage = make_stage()
        stage.answer("start", {**stage.answers["h1"]["start"], "warm": True})
        run(stage, shown)
        assert probes.occasions == [CANDIDATE, PUBLIC]
        assert [call.request["workers_later"] for call in stage.journal.of("start")] == [False, False]

    def test_the_audit_chain_is_anchored_by_the_commit(self, probes: Probes, shown: list[str]) -> None:
        """Every host gets the head, and the report has it with each host's place in its journal."""
        stage = make_stage()
        report = run(stage, shown)
        anchors = [call.request["anchor"] for call in stage.journal.of("commit")]
        assert anchors[0] == anchors[1]
        assert anchors[0]["run_id"] == "run-1"
        assert report["audit"]["intent"] == anchors[0]["intent"]

    def test_a_run_that_is_recorded_keeps_its_anchor(self, probes: Probes, shown: list[str]) -> None:
        """A host that was emptied gets the release again: its new journal must agree with the record."""
        stage = make_stage()
        recorded = {**run(stage, shown)["audit"], "head": "a" * 64, "count": 7}
        again = make_stage()
        for run_id, is_kept in ((recorded["run_id"], True), ("another", False)):
            told = {**recorded, "run_id": run_id}
            report = driver.Rollout(dataclasses.replace(again.context, audit=told), shown.append).run()
            assert (report["audit"]["count"] == 7) is is_kept
            assert (again.journal.of("commit")[-1].request["anchor"]["head"] == "a" * 64) is is_kept

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
        assert stage.journal.commands("h1") == ["start", "counters", *RETIRE, "lease"]
        assert stage.journal.commands("h2") == ["start", *MOVED, *RETIRE, "lease"]

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
        assert not any("candidate verified" in line for line in shown)

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
        assert seen == [["start", "cutover", "counters"]]
        assert report["load"] == [load_report(missed=[]).to_json()]
        assert list(report["timeline"]).index("release stood its load") == 5

    def test_a_drain_that_fails_is_a_warning(self, probes: Probes, shown: list[str]) -> None:
        """After the commit the release serves: what cannot be drained does not take it back."""
        stage = make_stage()
        stage.answer("drain", HostUnreachableError("h2 is not reachable"), host="h2")
        report = run(stage, shown)
        assert report["warnings"] == ["h2: h2 is not reachable; the host finishes this by itself"]
        assert stage.journal.of("revert") == []
        assert stage.journal.commands("h1") == ["start", *MOVED, *RETIRE, "lease"]
