from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks import suite
from infra.checks.blame import at_fault
from infra.checks.occasion import BEFORE, BY_HAND, CANDIDATE, PUBLIC, SMOKE_BY_HAND
from infra.checks.suite import CHECKS, Examination, examine
from infra.errors import HostError, HostUnreachableError
from infra.settings.suite import Suite
from tests.support.fake_app import TOLD, FakeApp, answering, served
from tests.support.overrides import merged
from tests.support.subject import PROJECT, good_resources, good_status, make_subject, quick_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.checks.occasion import Occasion
    from infra.checks.result import CheckResult

KEY = "s3cr3t-model-key"
GOOD_MODEL = {"choices": [{"message": {"content": "ready"}}], "data": [{"embedding": [0.1, 0.2]}]}
NEEDS_TLS = {"tls", "redirect"}


def run(
    app: FakeApp,
    occasion: Occasion = BY_HAND,
    *,
    checks: dict[str, Any] | None = None,
    model: Callable[[str, str, Any], tuple[int, Any, dict[str, str]]] | None = None,
    on_quiet: Callable[[Sequence[CheckResult]], None] = lambda _: None,
    **subject: Any,
) -> Examination:
    """Examine the fake app, with a model endpoint that works unless the app's is broken."""
    with served(app) as ports, answering(model or (lambda *_: (200, GOOD_MODEL, {}))) as port:
        reached = 1 if {"llm_endpoint", "embedding_endpoint"} & app.broken else port
        url = f"http://127.0.0.1:{reached}/{KEY}/v1"
        secrets = {"LLM_ENDPOINT": url, "EMBEDDING_ENDPOINT": url, "OPENAI_API_KEY": KEY}
        settings = quick_settings(ports, checks=checks)
        return examine(make_subject(settings, **{"secrets": secrets, **subject}), occasion, on_quiet=on_quiet)


def failing(found: Examination) -> set[str]:
    """Return the names of the checks that failed."""
    return {result.check for result in found.results if not result.passed}


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

    def test_an_app_with_the_contract_alone_passes(self) -> None:
        """Without removal, startup probe, release in its answers and with 200 for all, the app is as good."""
        app = FakeApp(bare=True)
        found = run(app)
        assert [str(result) for result in found.results if not result.passed] == []
        assert [str(r) for r in run(app, SMOKE_BY_HAND).results if not r.passed] == []

    def test_all_is_asked_side_by_side_in_little_time(self) -> None:
        """A healthy stack is judged in a fraction of what its deadlines would allow."""
        assert run(FakeApp()).seconds < 5

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
            pytest.param({"acp-agents not ready"}, "acp-agents", {"readiness"}, id="not ready with 200"),
            pytest.param({"acp-agents down"}, "acp-agents", {"health"}, id="health with 500"),
            pytest.param({"metrics"}, "acp-ingest", {"metrics"}, id="no metrics"),
        ],
    )
    def test_what_the_app_lacks_is_named(self, broken: set[str], fault: str, red: set[str]) -> None:
        """Whatever else fails because of it, the one dependency is at fault, and its own checks are red."""
        found = run(FakeApp(broken=broken))
        faults = at_fault(found.results)
        assert fault in faults
        assert red <= failing(found)
        if broken not in ({"metrics"}, {"writes are lost"}):
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


class TestSmoke:
    """A user's path."""

    def test_the_whole_path_is_walked_and_cleaned_up(self) -> None:
        """Paste, queue, search and an answer of the agents, and nothing stays behind."""
        app = FakeApp()
        found = run(app, SMOKE_BY_HAND)
        assert [(result.check, result.passed) for result in found.results] == [
            ("smoke paste", True),
            ("smoke ingest", True),
            ("smoke search", True),
            ("smoke agents", True),
        ]
        assert len(app.removed) == 2

    @pytest.mark.parametrize(
        ("broken", "red", "fault"),
        [
            ("paste", "smoke paste", "acp-ingest"),
            ("paste without a job", "smoke paste", "acp-ingest"),
            ("worker", "smoke ingest", "acp-worker"),
            ("jobs fail", "smoke ingest", "acp-worker"),
            ("search", "smoke search", "acp-ingest"),
            ("chroma", "smoke search", "vector_store"),
            ("jobs", "smoke agents", "acp-agents"),
            ("agents fail", "smoke agents", "acp-agents"),
            ("agents hang", "smoke agents", "acp-agents"),
        ],
    )
    def test_each_step_can_fail(self, broken: str, red: str, fault: str) -> None:
        """The first step that does not work is the one that is red, and it fails the release."""
        found = run(FakeApp(broken={broken}), SMOKE_BY_HAND)
        assert [result.check for result in found.results if result.fails_release] == [red]
        assert at_fault(found.results) == [fault]

    def test_what_is_known_is_told_while_the_agents_answer_is_waited_for(self) -> None:
        """Everything but the answer of the agents, before that comes; the rest of the time others may measure."""
        told: list[list[str]] = []
        app = FakeApp(broken={"agents hang"})

        def on_quiet(results: Sequence[CheckResult]) -> None:
            told.append([result.check for result in results])
            app.broken.discard("agents hang")

        found = run(app, SMOKE_BY_HAND, on_quiet=on_quiet)
        assert told == [["smoke paste", "smoke ingest", "smoke search"]]
        assert [result.check for result in found.results if result.fails_release] == []

    def test_the_candidates_job_is_kept_and_asked_for_again(self) -> None:
        """What the candidate's agents answered stays until the public address has shown it, then it is removed."""
        app = FakeApp()
        alone = run(app, CANDIDATE)
        assert alone.jobs == {"h1": "j0"}
        assert not [path for path in app.removed if "jobs" in path]
        public = run(app, PUBLIC, jobs=alone.jobs)
        assert list(app.jobs) == ["j0"]
        assert "DELETE /api/v1/jobs/j0" in app.removed
        assert [r.came for r in public.results if r.check == "smoke agents"] == ["the candidate's answer: completed"]

    def test_an_answer_that_the_public_does_not_get_is_red(self) -> None:
        """A job that the candidate answered but the public address does not know fails the release."""
        found = run(FakeApp(), PUBLIC, jobs={"h1": "j0"})
        assert [result.check for result in found.results if result.fails_release] == ["smoke agents"]


class TestModelEndpoints:
    """A real call with the stack's key, or the app's word."""

    ENDPOINTS = ("llm_endpoint", "embedding_endpoint")

    @pytest.mark.parametrize(
        ("status", "document", "came"),
        [
            pytest.param(401, {"error": "key"}, "status 401", id="key refused"),
            pytest.param(500, GOOD_MODEL, "status 500", id="error"),
            pytest.param(200, {"choices": []}, "an answer of another shape", id="empty answer"),
            pytest.param(200, "<html>", "an answer of another shape", id="another server"),
        ],
    )
    def test_a_bad_answer_is_red_whatever_the_app_says(self, status: int, document: Any, came: str) -> None:
        """An endpoint that answers us wrongly is at fault although the app thinks that it is well."""
        found = run(FakeApp(), model=lambda *_: (status, document, {}))
        failed = [result for result in found.results if not result.passed]
        assert {(result.check, result.came) for result in failed} == {(name, came) for name in self.ENDPOINTS}

    def test_an_endpoint_out_of_reach_is_judged_by_the_app(self) -> None:
        """Where only the hosts reach it, the app's word counts, and the result says that nobody asked from here."""
        secrets = {"LLM_ENDPOINT": "http://127.0.0.1:1", "EMBEDDING_ENDPOINT": "http://127.0.0.1:1"}
        found = run(FakeApp(), secrets={**secrets, "OPENAI_API_KEY": KEY})
        told = {r.check: (r.passed, r.came) for r in found.results if r.check in self.ENDPOINTS}
        assert told == dict.fromkeys(self.ENDPOINTS, (True, "no answer (ConnectError); the app says it is well"))

    def test_without_secrets_the_app_is_asked(self) -> None:
        """On a machine without the key the result says so."""
        found = run(FakeApp(), secrets={})
        came = {r.came for r in found.results if r.check in self.ENDPOINTS}
        assert came == {"not asked from here: its secrets are not set; the app says it is well"}

    def test_an_endpoint_that_nobody_has_seen_is_red(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When neither we nor the app can tell, that is no pass."""
        monkeypatch.setitem(TOLD, "acp-ingest", ("database",))
        found = run(FakeApp(), secrets={})
        assert failing(found) == set(self.ENDPOINTS)
        assert {r.came.partition("; ")[2] for r in found.results if r.check in self.ENDPOINTS} == {
            "the app says nothing"
        }

    def test_two_servers_are_two_dependencies(self) -> None:
        """Where LLM and embeddings come from different servers, each is named by itself."""
        secrets = {"LLM_ENDPOINT": "http://127.0.0.1:1", "EMBEDDING_ENDPOINT": "http://127.0.0.1:2"}
        found = run(FakeApp(broken={"embedding_endpoint"}), secrets={**secrets, "OPENAI_API_KEY": KEY})
        assert at_fault(found.results) == ["embedding_endpoint"]
