from __future__ import annotations

import itertools
import json
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.ask import Answer
from infra.checks.health import Probe, failing_dependencies, judge_answer, judged
from infra.checks.occasion import Occasion
from infra.checks.suite import examine
from infra.checks.target import Target
from tests.support.settings import make_settings
from tests.support.subject import make_subject
from tests.support.web import Reply, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.checks.result import CheckResult

RELEASE = "v1.4.2-1a2b3c4d"
FAST = {"passes": 2, "interval_seconds": 0.001, "timeout_seconds": 0.3}
PATIENT_SECONDS = 30.0
"""Of which a check that passes takes what the machine needs; one that fails takes all."""
HEALTH = Occasion(checks=("health",))
HEALTHY = {"status": "healthy", "services": {"database": {"status": "healthy"}, "redis": {"status": "healthy"}}}
UNHEALTHY = {"status": "unhealthy", "services": {"database": {"status": "unhealthy", "error": "refused"},
                                                 "redis": {"status": "healthy"}, "disk_space": "low"}}  # fmt: skip


def target(port: int = 1, *, release: str | None = RELEASE, **changes: Any) -> Target:
    """Return the first web service of the test stack at a loopback port."""
    values: dict[str, Any] = {
        "name": "acp-ingest on h1",
        "service_name": "acp-ingest",
        "service": make_settings().services["acp-ingest"],
        "base_url": f"http://127.0.0.1:{port}",
        "release": release,
    }
    return Target(**{**values, **changes})


def probe(port: int = 1, *, release: str | None = RELEASE) -> Probe:
    """Return the question for health."""
    return Probe(check="health", target=target(port, release=release), path="/health", field="status", equals="healthy")


@pytest.mark.parametrize(
    ("field", "equals", "body", "passed"),
    [
        ("ready", "true", {"ready": True}, True),
        ("ready", "true", {"ready": False}, False),
        ("data.status", "healthy", {"data": {"status": "healthy"}}, True),
        ("data.status", "healthy", {"status": "healthy"}, False),
        ("data.status", "healthy", {"data": ["healthy"]}, False),
        ("data.count", "3", {"data": {"count": 3}}, True),
        ("status", "None", {}, False),
    ],
)
def test_fields_are_read_as_the_host_reads_them(field: str, equals: str, body: Any, passed: bool) -> None:
    """A path with dots leads into the answer, and booleans are written as JSON has them."""
    asked = replace(probe(release=None), field=field, equals=equals)
    assert judge_answer(asked, answer_of(200, json.dumps(body), {})).passed is passed


def reply(body: Any = HEALTHY, status: int = 200, release: str = RELEASE) -> Reply:
    """Return the app's answer."""
    return Reply(body=body, status=status, headers={"X-ACP-Release": release})


def examined(targets: list[Target], occasion: Occasion = HEALTH, **checks: Any) -> list[CheckResult]:
    """Return the results of the checks of these targets."""
    settings = make_settings(checks={**FAST, **checks})
    return list(examine(replace(make_subject(settings), targets=targets), occasion).results)


def ask(answer: Callable[[str], Reply | None], **checks: Any) -> CheckResult:
    """Ask a real server that answers like this, and return the verdict."""
    with serving(answer) as server:
        (result,) = examined([target(server.port)], **checks)
        return result


def answer_of(status: int, body: str, headers: dict[str, str]) -> Answer:
    """Return what came of a request, as the check sees it."""
    document = json.loads(body) if body[:1] in {"{", "["} else None
    return Answer(asked="GET /health", seconds=0.1, status=status, headers=headers, text=body, document=document)


def in_turn(*replies: Reply) -> Callable[[str], Reply]:
    """Return an answerer that gives the replies in turn, over and over."""
    turns: Iterator[Reply] = itertools.cycle(replies)
    return lambda _path: next(turns)


@pytest.mark.parametrize(
    ("status", "body", "release", "passed", "came"),
    [
        pytest.param(200, json.dumps(HEALTHY), RELEASE, True, "status is healthy", id="healthy"),
        pytest.param(200, json.dumps(UNHEALTHY), RELEASE, False,
                     "status is 'unhealthy', not 'healthy': database, disk_space", id="200 with an unhealthy body"),
        pytest.param(503, json.dumps(HEALTHY), RELEASE, False, "status 503", id="healthy body with an error status"),
        pytest.param(204, "", RELEASE, False, "status 204", id="no content"),
        pytest.param(302, "", RELEASE, False, "status 302", id="redirect"),
        pytest.param(200, "<html>healthy</html>", RELEASE, False, "no JSON", id="another server's page"),
        pytest.param(200, "", RELEASE, False, "no JSON", id="empty"),
        pytest.param(200, "[]", RELEASE, False, "status is None, not 'healthy'", id="a list"),
        pytest.param(200, "{}", RELEASE, False, "status is None, not 'healthy'", id="no such field"),
        pytest.param(200, '{"status": "Healthy"}', RELEASE, False, "status is 'Healthy', not 'healthy'", id="case"),
        pytest.param(200, json.dumps(HEALTHY), "v1.4.1-0", False,
                     f"answered by release v1.4.1-0, not {RELEASE}", id="another release"),
        pytest.param(200, json.dumps(HEALTHY), None, False,
                     f"answered by release None, not {RELEASE}", id="no release header"),
    ],
)  # fmt: skip
def test_an_answer_is_judged_by_status_body_and_release(
    status: int, body: str, release: str | None, passed: bool, came: str
) -> None:
    """All three must fit: the app answers 200 even when its body says that it is not healthy."""
    headers = {"x-acp-release": release} if release else {}
    found = judge_answer(probe(), answer_of(status, body, headers))
    assert (found.passed, found.came) == (passed, came)


@pytest.mark.parametrize(
    ("status", "body", "look_at"),
    [
        (404, "", "`health.path` of acp:services.acp-ingest: is it the app's?"),
        (200, '{"state": "OK"}', "`health.field` of acp:services.acp-ingest: is it the app's?"),
        (500, "", ""),
        (200, '{"status": "starting"}', ""),
    ],
)
def test_a_question_that_the_app_does_not_know_points_to_the_stack_file(status: int, body: str, look_at: str) -> None:
    """An app with another path or field is well: what asks it is wrong. Else it is the app's log that says more."""
    assert judge_answer(probe(), answer_of(status, body, {})).look_at == look_at


def test_where_any_release_may_answer_the_header_does_not_count() -> None:
    """Before a rollout the running release is asked, whichever it is."""
    assert judge_answer(probe(release=None), answer_of(200, json.dumps(HEALTHY), {})).passed


@pytest.mark.parametrize("spelling", ["X-ACP-Release", "x-acp-release", "X-Acp-Release"])
def test_a_header_is_found_in_any_spelling(spelling: str) -> None:
    """HTTP header names have no case."""
    assert ask(lambda _path: Reply(body=HEALTHY, headers={spelling: RELEASE})).passed


@pytest.mark.parametrize(
    ("answer", "look_at", "blames"),
    [
        (answer_of(200, json.dumps(UNHEALTHY), {}), "database, disk_space of the app", ("database", "disk_space")),
        (answer_of(503, json.dumps(UNHEALTHY), {}), "the container's log", ("database", "disk_space")),
        (answer_of(500, "", {}), "the container's log", ("acp-ingest",)),
        (answer_of(200, json.dumps(HEALTHY), {}), "`acp-release status --stack STACK`", ("release",)),
        (Answer(asked="GET /health", seconds=1, failure="no answer (ConnectError)"),
         "is it running? `acp-release status --stack STACK`", ("acp-ingest",)),
    ],
)  # fmt: skip
def test_a_failure_points_to_what_is_down(answer: Answer, look_at: str, blames: tuple[str, ...]) -> None:
    """An unhealthy answer points to the dependencies it names, another release to the release, the rest to the app."""
    result = judged(probe(), answer)
    assert (result.passed, result.look_at, result.dependencies) == (False, look_at, blames)


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (UNHEALTHY, ("database", "disk_space")),
        ({"critical_services": {"database": False, "redis": True}}, ("database",)),
        ({"services": {"llm_endpoint": {"status": "Connected"}, "chroma": {"error": "gone"}}}, ("chroma",)),
        ({"services": ["database"]}, ()),
        ({}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_failing_dependencies_are_named(document: object, names: tuple[str, ...]) -> None:
    """Every way in which the app lists its dependencies is understood; anything else names none."""
    assert failing_dependencies(document) == names


class TestOverTheNetwork:
    """Probes against a real server."""

    def test_passes_must_come_in_a_row(self) -> None:
        """One pass is not enough: the probe goes on until it passed as often as the settings say."""
        with serving(in_turn(reply(UNHEALTHY), reply(), reply())) as server:
            (result,) = examined([target(server.port)], timeout_seconds=PATIENT_SECONDS)
            assert result.passed
            assert len(server.asked) == 3

    def test_a_flapping_service_fails(self) -> None:
        """Good and bad answers in turn never make a row; the result says what came or that it flaps."""
        result = ask(in_turn(reply(), reply(UNHEALTHY)))
        assert not result.passed
        assert result.came in {
            "1 of 2 passes in a row until the deadline",
            "status is 'unhealthy', not 'healthy': database, disk_space",
        }

    def test_too_few_passes_until_the_deadline_are_said(self) -> None:
        """A good answer at the very end is not enough, and not called a bad one either."""
        result = ask(in_turn(reply()), passes=100, interval_seconds=0.2, timeout_seconds=0.1)
        assert not result.passed
        assert result.came == "1 of 100 passes in a row until the deadline"
        assert result.look_at == "the container's log: does it flap?"

    def test_a_service_that_gets_healthy_in_time_passes(self) -> None:
        """Bad answers at first are waited out until the deadline."""
        answers = iter([reply(UNHEALTHY, 503)] * 5)
        assert ask(lambda _path: next(answers, reply()), timeout_seconds=PATIENT_SECONDS).passed

    def test_the_last_answer_is_the_evidence(self) -> None:
        """A failed check says what was asked, of whom, and what came."""
        result = ask(in_turn(reply(UNHEALTHY, 503)))
        assert str(result).startswith("FAILED health of acp-ingest on h1: GET /health → status 503 (")
        assert result.to_json()["passed"] is False

    def test_nobody_there_is_a_failure_in_words(self) -> None:
        """A refused connection is said as such, with what to do."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            (result,) = examined([target(closed.getsockname()[1])])
        assert result.came == "no answer (ConnectError)"
        assert result.look_at == "is it running? `acp-release status --stack STACK`"

    def test_a_dropped_connection_is_a_failure(self) -> None:
        """A server that closes without an answer has not answered."""
        assert ask(lambda _path: None).came.startswith("no answer (")

    def test_a_silent_service_does_not_hold_the_deadline(self) -> None:
        """A server that accepts and says nothing is given up about when the time is over."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            (result,) = examined([target(silent.getsockname()[1])])
            assert time.monotonic() - began < 3
        assert result.came == "no answer (ReadTimeout)"

    def test_probes_run_side_by_side(self) -> None:
        """Each question has its own result, in the order asked, and a failing one does not hide the others."""
        with serving(lambda path: reply({"status": "ready"} if path.endswith("ready") else UNHEALTHY)) as server:
            results = examined(
                [target(server.port), target(server.port, name="other")],
                Occasion(checks=("readiness", "health")),
                timeout_seconds=2,
            )
        assert [(r.target, r.check, r.passed) for r in results] == [
            ("acp-ingest on h1", "readiness", True),
            ("other", "readiness", True),
            ("acp-ingest on h1", "health", False),
            ("other", "health", False),
        ]

    def test_no_proxy_stands_between(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Hosts are asked directly, also where the environment names a proxy for the way out."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert ask(in_turn(reply()), timeout_seconds=PATIENT_SECONDS).passed

    def test_a_host_with_tls_is_asked_under_its_public_name(self) -> None:
        """The server sees the name that the certificate is for."""
        with serving(in_turn(reply())) as server:
            public = target(server.port, server_name="acp.example.test")
            assert examined([public], timeout_seconds=PATIENT_SECONDS)[0].passed
            assert server.asked[0][1]["Host"] == "acp.example.test"
        assert public.extensions == {"sni_hostname": "acp.example.test"}

    def test_nothing_to_ask_gives_no_result(self) -> None:
        """No targets, no results: the caller must not take that for success."""
        assert examined([]) == []
