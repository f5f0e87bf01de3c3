from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from infra.checks import suite
from infra.checks.blame import at_fault
from infra.checks.occasion import BEFORE, BY_HAND, CANDIDATE, PUBLIC, SMOKE_BY_HAND
from infra.checks.suite import CHECKS
from infra.errors import HostError, HostUnreachableError
from infra.settings.suite import Suite
from tests.support.examined import GOOD_MODEL, KEY, failing, run
from tests.support.fake_app import FakeApp
from tests.support.overrides import merged
from tests.support.subject import PROJECT, good_resources, good_status

NEEDS_TLS = {"tls", "redirect"}


def status_with(name: str, index: int = 1, /, **changes: Any) -> dict[str, Any]:
    """Return a good status but for one container."""
    status = good_status()
    (containers,) = status["releases"].values()
    position = next(i for i, c in enumerate(containers) if c["name"] == f"{PROJECT}-{name}-{index}")
    containers[position] = {**containers[position], **changes}
    return status


class TestHealthyStack:
    """Nothing is broken."""

    def test_every_check_passes_and_none_is_silent(self) -> None:
        """Each check of the suite gives a result, and all are good."""
        found = run(FakeApp())
        assert [str(result) for result in found.results if not result.passed] == []
        assert {result.check for result in found.results} == set(CHECKS) - NEEDS_TLS
        assert at_fault(found.results) == []

    def test_without_tls_nothing_of_it_is_asked(self) -> None:
        """A stack in clear has no certificate to judge, however bad a failure would be."""
        found = run(FakeApp(), checks={"suite": {name: {"severity": "critical"} for name in NEEDS_TLS}})
        assert failing(found) == set()
        assert not {result.check for result in found.results} & NEEDS_TLS

    def test_an_app_with_the_contract_alone_passes(self) -> None:
        """Without removal, startup probe, release in its answers and with 200 for all, the app is as good."""
        app = FakeApp(bare=True)
        found = run(app)
        assert [str(result) for result in found.results if not result.passed] == []
        assert [str(r) for r in run(app, SMOKE_BY_HAND).results if not r.passed] == []

    def test_checks_are_asked_side_by_side(self) -> None:
        """Model endpoints that each wait until the other is asked, too, are both found well."""
        meeting = threading.Barrier(2, timeout=2)

        def model(_method: str, _path: str, _body: Any) -> tuple[int, Any, dict[str, str]]:
            meeting.wait()
            return 200, GOOD_MODEL, {}

        assert failing(run(FakeApp(), model=model)) == set()

    def test_what_was_made_is_removed(self) -> None:
        """Documents and jobs of the checks are taken away again."""
        app = FakeApp()
        run(app)
        assert len(app.removed) == len(app.documents) + len(app.jobs) == 2

    def test_what_cannot_be_removed_is_said(self) -> None:
        """Leftovers are a warning, never a verdict on the release."""
        found = run(FakeApp(broken={"removal"}))
        assert {(r.check, r.verdict, r.came) for r in found.results if not r.passed} == {
            ("cleanup", "warning", "status 500: it stays behind")
        }

    def test_a_queue_that_is_given_more_time_is_waited_for(self) -> None:
        """The occasion's own limit does not cut what the stack gives beyond the usual."""
        hasty = replace(BY_HAND, at_most_seconds=0.3)
        found = run(FakeApp(broken={"worker"}), hasty, checks={"suite": {"queue": {"within_seconds": 8.7}}})
        assert [result.seconds > 0.5 for result in found.results if result.check == "queue"] == [True]

    def test_no_secret_is_in_a_result(self) -> None:
        """Neither the endpoint's address nor the key is in what is reported, good or bad."""
        for app in (FakeApp(), FakeApp(broken={"llm_endpoint", "embedding_endpoint"})):
            assert "s3cr3t" not in str([(str(result), result.to_json()) for result in run(app).results])

    def test_what_the_app_quotes_is_masked(self) -> None:
        """A secret in the app's own words does not get into a result."""
        found = run(FakeApp(broken={"error quotes"}), secrets={"OPENAI_API_KEY": KEY})
        (queue,) = [result for result in found.results if result.check == "queue"]
        assert queue.came.endswith("(cannot use [redacted])")

    def test_every_check_of_the_settings_exists(self) -> None:
        """The stack file can name exactly the checks that there are, and every occasion asks for known ones."""
        assert set(Suite.model_fields) == set(CHECKS)
        for occasion in (BEFORE, CANDIDATE, PUBLIC, BY_HAND):
            assert set(occasion.checks) <= set(CHECKS)


STOPPED = {"state": "exited", "health": None}


class TestAtFault:
    """One thing is broken: the suite is red and names exactly that one."""

    @pytest.mark.parametrize(
        ("broken", "fault", "red"),
        [
            pytest.param(
                {"database", "chroma"}, "database", {"health", "readiness", "ingest", "database"}, id="database"
            ),
            pytest.param({"redis"}, "redis", {"health", "readiness", "ingest", "queue", "agents"}, id="redis"),
            pytest.param({"chroma"}, "vector_store", {"health", "vector_store"}, id="vector store"),
            pytest.param(
                {"llm_endpoint", "embedding_endpoint"},
                "model_endpoint",
                {"health", "llm_endpoint", "embedding_endpoint", "queue", "search", "vector_store"},
                id="model endpoint",
            ),
            pytest.param({"worker"}, "acp-worker", {"queue", "vector_store"}, id="queue stands still"),
            pytest.param({"jobs fail"}, "acp-worker", {"queue", "vector_store"}, id="jobs fail"),
            pytest.param({"startup"}, "acp-ingest", {"database"}, id="schema not ready"),
            pytest.param({"writes are lost"}, "database", {"database", "queue", "ingest"}, id="writes are lost"),
            pytest.param({"paste"}, "acp-ingest", {"ingest", "database", "queue"}, id="paste fails"),
            pytest.param({"paste without a job"}, "acp-ingest", {"ingest", "database", "queue"}, id="no job"),
            pytest.param({"status"}, "acp-ingest", {"ingest", "database", "queue"}, id="status fails"),
            pytest.param({"search"}, "acp-ingest", {"search", "vector_store"}, id="search fails"),
            pytest.param({"search shape"}, "acp-ingest", {"search"}, id="search of another shape"),
            pytest.param({"jobs"}, "acp-agents", {"agents"}, id="jobs are refused"),
            pytest.param({"jobs are lost"}, "acp-agents", {"agents"}, id="jobs are lost"),
            pytest.param({"agents fail"}, "acp-agents", {"agents"}, id="agents fail"),
            pytest.param(
                {"paste fails with a job"}, "acp-ingest", {"ingest", "database", "queue"}, id="failed, with a job"
            ),
            pytest.param({"another document"}, "database", {"ingest", "database"}, id="the job of another document"),
            pytest.param({"odd status"}, "database", {"ingest", "database", "queue"}, id="a status that is none"),
            pytest.param(
                {"search fails with results"}, "acp-ingest", {"search", "vector_store"}, id="failed, with hits"
            ),
            pytest.param({"search finds others"}, "vector_store", {"vector_store"}, id="finds other documents"),
            pytest.param({"jobs fail with an answer"}, "acp-agents", {"agents"}, id="failed, with an answer"),
            pytest.param({"another job"}, "acp-agents", {"agents"}, id="another job"),
            pytest.param({"no status"}, "acp-agents", {"agents"}, id="a job without a status"),
            pytest.param({"acp-agents not ready"}, "acp-agents", {"readiness"}, id="not ready with 200"),
            pytest.param({"acp-agents down"}, "acp-agents", {"health"}, id="health with 500"),
            pytest.param({"metrics"}, "acp-ingest", {"metrics"}, id="no metrics"),
            pytest.param({"metrics fail"}, "acp-ingest", {"metrics"}, id="metrics with an error"),
        ],
    )
    def test_what_the_app_lacks_is_named(self, broken: set[str], fault: str, red: set[str]) -> None:
        """Whatever else fails because of it, the one dependency is at fault, and its own checks are red."""
        found = run(FakeApp(broken=broken))
        faults = at_fault(found.results)
        assert fault in faults
        assert red <= failing(found)
        if broken not in ({"metrics"}, {"metrics fail"}, {"writes are lost"}, {"another document"}, {"odd status"}):
            assert faults == [fault], "\n".join(str(r) for r in found.results if not r.passed)

    @pytest.mark.parametrize(
        ("status", "fault"),
        [
            pytest.param(status_with("worker", **STOPPED), "acp-worker", id="worker stopped"),
            pytest.param(status_with("worker", health="unhealthy"), "acp-worker", id="worker unhealthy"),
            pytest.param(
                status_with("agents", 2, **STOPPED), f"acp-agents replica {PROJECT}-agents-2", id="one replica stopped"
            ),
            pytest.param(
                status_with("agents", 1, state="restarting"), f"acp-agents replica {PROJECT}-agents-1", id="restarting"
            ),
            pytest.param(status_with("agents", 2, service="gone"), "acp-agents", id="a replica is missing"),
            pytest.param(good_status("v9-0"), "release", id="another release on the host"),
            pytest.param(
                merged(good_status(), {"services": good_status()["services"][:1]}), "acp-agents", id="not at the edge"
            ),
            pytest.param(
                merged(good_status(), {"core": [{"name": "acp-core-redis-1", "service": "redis", **STOPPED}]}),
                "redis",
                id="a data service stopped",
            ),
            pytest.param(HostUnreachableError("h1 is not reachable"), "host h1", id="host away"),
        ],
    )
    def test_what_the_host_lacks_is_named(self, status: Any, fault: str) -> None:
        """Every container is judged, not only what the balancer shows."""
        found = run(FakeApp(), status=status)
        assert failing(found) == {"replicas"}
        assert at_fault(found.results) == [fault]

    @pytest.mark.parametrize(
        ("ready", "came", "fault"),
        [
            pytest.param({}, "the edge finds 1 of 2 replicas ready", "acp-agents", id="ready again"),
            pytest.param(
                HostError(f"h1: {PROJECT}-agents-2 was not ready within 2 seconds: status is not_ready"),
                f"the edge finds 1 of 2 replicas ready: h1: {PROJECT}-agents-2 was not ready within 2 seconds: "
                "status is not_ready",
                f"acp-agents replica {PROJECT}-agents-2",
                id="named by the host",
            ),
            pytest.param(HostError("h1: busy"), "the edge finds 1 of 2 replicas ready", "acp-agents", id="no name"),
        ],
    )
    def test_a_replica_that_runs_but_is_not_ready_is_named(self, ready: Any, came: str, fault: str) -> None:
        """The edge sees that one gives no good answer, and the host says which."""
        status = good_status()
        status["services"][1]["releases"][0]["up"] = 1
        found = run(FakeApp(), status=status, ready=ready)
        (failed,) = [result for result in found.results if not result.passed]
        assert (failed.came, failed.dependencies) == (came, (fault,))

    def test_a_full_disk_is_named_and_only_warns(self) -> None:
        """Too little room is reported with figures; by default it does not fail a release."""
        found = run(FakeApp(), resources=good_resources(free_bytes=1024**3))
        (failed,) = [result for result in found.results if not result.passed]
        assert (failed.check, failed.verdict, failed.fails_release) == ("disk_space", "warning", False)
        assert failed.came == "1.0 GiB are free, 2.0 GiB must be"
        assert at_fault(found.results) == ["disk_space"]

    @pytest.mark.parametrize(
        "app",
        [
            pytest.param(FakeApp(release="v1.4.1-00000000"), id="another release answers"),
            pytest.param(FakeApp(release=None), id="no release header"),
            pytest.param(FakeApp(version="v1.4.1"), id="another version answers"),
            pytest.param(FakeApp(version=None, bare=True), id="no version is told"),
        ],
    )
    def test_another_release_than_the_deployed_one_is_named(self, app: FakeApp) -> None:
        """Header, release and version must be what was deployed."""
        found = run(app)
        assert "version" in failing(found)
        assert at_fault(found.results) == ["release"]

    def test_an_app_that_does_not_know_its_version_can_be_accepted(self) -> None:
        """Where the stack says so, only the release id counts."""
        checks = {"suite": {"version": {"compare_version": False}}}
        assert failing(run(FakeApp(version="1.0.0"), checks=checks)) == set()

    def test_before_a_release_a_service_that_it_brings_is_not_missed(self) -> None:
        """Of a release that is not known only the containers that it has are judged."""
        status = good_status()
        (containers,) = status["releases"].values()
        del containers[2:]
        status["services"].pop()
        assert failing(run(FakeApp(), BEFORE, status=status, release=None)) == set()

    def test_before_a_release_whatever_serves_is_judged(self) -> None:
        """Without an expected release the one that serves counts, with the replicas it has."""
        status = good_status("v1.4.1-00000000")
        app = FakeApp(release="v1.4.1-00000000", version="v1.4.1")
        assert failing(run(app, BEFORE, status=status, release=None)) == set()


class TestSeverity:
    """How bad a failure is, as the stack says."""

    @pytest.mark.parametrize(
        ("severity", "red", "fails"), [("critical", True, True), ("warning", True, False), ("ignore", False, False)]
    )
    def test_the_stack_says_how_bad_a_failure_is(self, severity: str, red: bool, fails: bool) -> None:
        """Critical fails a release, a warning is reported, what is ignored is not even asked."""
        found = run(FakeApp(broken={"jobs"}), checks={"suite": {"agents": {"severity": severity}}})
        assert ("agents" in failing(found)) == red
        assert any(result.fails_release for result in found.results) == fails

    def test_a_check_that_breaks_does_not_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A bug in a check is a failure that says so, and the others are still asked."""

        async def broken(_inquiry: object) -> list[Any]:
            raise KeyError("x")

        monkeypatch.setitem(suite.CHECKS, "search", broken)
        found = run(FakeApp())
        (failed,) = [result for result in found.results if not result.passed]
        assert (failed.check, failed.came) == ("search", "the check itself failed: KeyError")

    def test_a_check_without_an_end_does_not_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A check that never comes back is given up and fails."""

        async def endless(inquiry: Any) -> list[Any]:
            return await inquiry.once("never", lambda: suite.asyncio.Event().wait())

        monkeypatch.setattr(suite, "CLEANUP_SECONDS", 0.1)
        monkeypatch.setitem(suite.CHECKS, "search", endless)
        assert failing(run(FakeApp())) == {"search"}
