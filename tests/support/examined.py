"""The fake app examined by the suite, as an update or a person would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.checks.occasion import BY_HAND
from infra.checks.suite import Examination, examine
from tests.support.fake_app import FakeApp, answering, served
from tests.support.subject import make_subject, quick_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.checks.occasion import Occasion
    from infra.checks.result import CheckResult

KEY = "s3cr3t-model-key"
GOOD_MODEL = {"choices": [{"message": {"content": "ready"}}], "data": [{"embedding": [0.1, 0.2]}]}


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
