from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from infra.checks.occasion import BY_HAND, SMOKE_BY_HAND
from tests.support.examined import run
from tests.support.fake_app import FakeApp


@dataclass(slots=True)
class OwnWords(FakeApp):
    """An app whose jobs are in a status of its own; `refuses` is the status code with which it takes none."""

    status: str = "done"
    refuses: int | None = None

    def answer(self, service: str, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return status and body of one request."""
        code, told = super(OwnWords, self).answer(service, method, path, body)
        if service != "acp-agents" or not path.startswith("/api/v1/jobs") or method == "DELETE":
            return code, told
        if method == "POST" and self.refuses:
            return self.refuses, {"detail": "fields"}
        return code, {**told, "status": self.status}


def agents(app: FakeApp, **smoke: Any) -> tuple[bool, str]:
    """Return whether the agents' answer passes the smoke test, and what came."""
    found = run(app, SMOKE_BY_HAND, checks={"smoke": smoke})
    (result,) = [result for result in found.results if result.check == "smoke agents"]
    return result.passed, result.came


def test_an_answer_is_what_the_stack_calls_one() -> None:
    """The app's own status counts once the stack names it, and then another does not."""
    assert not agents(OwnWords())[0]
    assert agents(OwnWords(), answered=["done"])[0]
    assert not agents(OwnWords(status="completed"), answered=["done"])[0]


def test_a_job_that_failed_in_the_apps_own_words_is_not_waited_for() -> None:
    """A status that the stack names as failed ends the wait."""
    passed, came = agents(OwnWords(status="aborted"), failed=["aborted"], within_seconds=2)
    assert not passed
    assert came.startswith("aborted after 0.")


@pytest.mark.parametrize("refuses", [400, 422])
@pytest.mark.parametrize(("occasion", "check"), [(BY_HAND, "agents"), (SMOKE_BY_HAND, "smoke agents")])
def test_a_job_that_is_refused_leads_to_its_body(occasion: Any, check: str, refuses: int) -> None:
    """Where the app does not take the body, the result names the setting that holds it."""
    found = run(OwnWords(refuses=refuses), occasion)
    (result,) = [result for result in found.results if result.check == check]
    assert not result.passed
    assert result.look_at == "the container's log; does the app take the body `acp:checks.smoke.job`?"


def test_a_service_that_fails_does_not_lead_to_the_body() -> None:
    """An error of the server is no word on what was asked."""
    found = run(OwnWords(refuses=503), SMOKE_BY_HAND)
    assert [r.look_at for r in found.results if r.check == "smoke agents"] == ["the container's log"]
