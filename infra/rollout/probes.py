"""Our own requests where the users send too few for a verdict: the same question to candidate and current in turn."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from infra.checks.target import public_targets
from infra.checks.tls import trust
from infra.domain.canary import Sample, merge

if TYPE_CHECKING:
    from infra.checks.target import Target
    from infra.rollout.context import RolloutContext

REQUEST_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSamples:
    """What candidate and current answered to the same questions."""

    candidate: Sample
    current: Sample


def probe_samples(context: RolloutContext, service: str, count: int) -> ProbeSamples:
    """Ask the public address until the candidate answered `count` times; the release header tells who answered."""
    targets = [t for t in public_targets(context.settings, release=None) if t.service_name == service]
    candidate: list[Sample] = []
    current: list[Sample] = []
    asked, limit = 0, count * 100
    # A transport of our own: hosts are asked directly, whatever proxy the environment names.
    transport = httpx.HTTPTransport(verify=trust(context.settings))
    with httpx.Client(timeout=REQUEST_TIMEOUT_SECONDS, transport=transport) as client:
        while len(candidate) < count and asked < limit:
            target = targets[asked % len(targets)]
            asked += 1
            release, answer = _ask(client, target)
            (candidate if release in {context.release, None} else current).append(answer)
    return ProbeSamples(candidate=merge(candidate), current=merge(current))


def _ask(client: httpx.Client, target: Target) -> tuple[str | None, Sample]:
    """Return who answered and how; nobody's answer counts against the candidate."""
    start = time.monotonic()
    try:
        response = client.get(
            target.base_url + target.service.health.path,
            headers=target.request_headers,
            extensions=dict(target.extensions),
        )
    except httpx.HTTPError:
        return None, Sample(requests=1, failures=1, mean_ms=(time.monotonic() - start) * 1000)
    failed = response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    return response.headers.get("X-ACP-Release"), Sample(
        requests=1, failures=int(failed), mean_ms=(time.monotonic() - start) * 1000
    )
