"""LLM and embedding endpoint: a real small call with the stack's key, or the app's word where we cannot reach them.

The endpoints may stand where only the hosts can reach them. When no connection comes about from here, the app is asked
instead, and the result says so; when the app does not tell either, the check fails: nobody has seen the endpoint.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from infra.checks.ask import Answer, send
from infra.checks.blame import EMBEDDING, LLM
from infra.checks.health import is_good
from infra.checks.trust import system_trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.checks.inquiry import Inquiry
    from infra.checks.result import CheckResult

CALL_SECONDS = 8.0
KEY = "OPENAI_API_KEY"
LLM_SECRET, EMBEDDING_SECRET = "LLM_ENDPOINT", "EMBEDDING_ENDPOINT"
MOST_TOKENS = 5
REFUSALS = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A small call to one endpoint."""

    check: str
    secret: str
    path: str
    body: Mapping[str, Any]


async def check_llm_endpoint(inquiry: Inquiry) -> list[CheckResult]:
    """Ask the LLM for a few words."""
    rule = inquiry.settings.checks.suite.llm_endpoint
    messages = [{"role": "user", "content": "Answer with one word: ready"}]
    body = {"model": rule.model, "messages": messages, "max_tokens": MOST_TOKENS}
    return [await _check(inquiry, Call(check=LLM, secret=LLM_SECRET, path=rule.path, body=body))]


async def check_embedding_endpoint(inquiry: Inquiry) -> list[CheckResult]:
    """Ask for the embedding of one word."""
    rule = inquiry.settings.checks.suite.embedding_endpoint
    body = {"model": rule.model, "input": ["ready"]}
    return [await _check(inquiry, Call(check=EMBEDDING, secret=EMBEDDING_SECRET, path=rule.path, body=body))]


async def _check(inquiry: Inquiry, call: Call) -> CheckResult:
    answer = await _call(inquiry, call)
    if answer.status is None:
        return await _told(inquiry, call, answer)
    passed = answer.is_success and has_content(call.check, answer.document)
    came = "answers" if passed else answer.came if not answer.is_success else "an answer of another shape"
    look_at = f"{KEY}: the endpoint refuses it" if answer.status in REFUSALS else f"{call.secret}, and its provider"
    return answer.judged(call.check, call.secret, passed=passed, came=came, look_at=look_at, blames=(call.check,))


async def _call(inquiry: Inquiry, call: Call) -> Answer:
    """Return what the endpoint answers us; without its address or the key there is no call."""
    endpoint, key = inquiry.subject.secrets.get(call.secret), inquiry.subject.secrets.get(KEY)
    shown = f"{call.secret}{call.path}"
    if not endpoint or not key:
        return Answer(asked=f"POST {shown}", seconds=0.0, failure="not asked from here: its secrets are not set")
    # The way out may lead through a proxy; a private address is asked directly.
    async with httpx.AsyncClient(trust_env=not is_private(endpoint), verify=system_trust()) as client:
        return await send(
            client,
            "POST",
            endpoint.rstrip("/") + call.path,
            shown=shown,
            timeout_seconds=min(CALL_SECONDS, inquiry.remaining_seconds),
            headers={"Authorization": f"Bearer {key}"},
            json=dict(call.body),
        )


async def _told(inquiry: Inquiry, call: Call, answer: Answer) -> CheckResult:
    """Return what the app says of an endpoint that we could not ask."""
    service = inquiry.settings.checks.ingest_service
    healths = [await inquiry.health(target) for target in inquiry.subject.targets_of(service)]
    told = [services for health in healths if isinstance(services := health.value("services"), dict)]
    states = [services[call.check] for services in told if call.check in services]
    passed = bool(states) and all(is_good(state) for state in states)
    word = "nothing" if not states else "it is well" if passed else "it is down"
    return answer.judged(
        call.check,
        call.secret,
        passed=passed,
        came=f"{answer.failure}; the app says {word}",
        look_at=f"{call.secret}: does the endpoint run, and may the hosts reach it?",
        # An app that does not answer at all is no witness: it is what failed.
        blames=(call.check,) if told else (service,),
    )


def has_content(check: str, document: object) -> bool:
    """Whether an answer has what was asked for: a message, or a vector of numbers."""
    try:
        if check == LLM:
            return isinstance(document["choices"][0]["message"]["content"], str)  # type: ignore[index]
        vector = document["data"][0]["embedding"]  # type: ignore[index]
        return bool(vector) and all(isinstance(number, int | float) for number in vector)
    except (KeyError, IndexError, TypeError):
        return False


def is_private(url: str) -> bool:
    """Whether a URL names a private address, or one of this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def is_one_server(secrets: Mapping[str, str]) -> bool:
    """Whether LLM and embeddings come from the same server, so that one failure takes both."""
    found = [secrets.get(name) for name in (LLM_SECRET, EMBEDDING_SECRET)]
    try:
        places = {(urlsplit(url).hostname, urlsplit(url).port) for url in found if url}
    except ValueError:
        return False
    return all(found) and len(places) == 1
