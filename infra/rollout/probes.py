"""Our own requests where the users send too few for a verdict; who answered how, the edge counts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import httpx

from infra.checks.target import public_targets
from infra.checks.tls import trust

if TYPE_CHECKING:
    from infra.rollout.context import RolloutContext

REQUEST_TIMEOUT_SECONDS = 10.0


def ask_publicly(context: RolloutContext, service: str, count: int) -> None:
    """Ask the public address of a service on every host in turn, `count` times in all.

    Answers are not looked at: where the candidate fails, the edge asks the release before, and only the edge knows.
    """
    targets = [t for t in public_targets(context.settings, release=None) if t.service_name == service]
    # A transport of our own: hosts are asked directly, whatever proxy the environment names.
    transport = httpx.HTTPTransport(verify=trust(context.settings))
    with httpx.Client(timeout=REQUEST_TIMEOUT_SECONDS, transport=transport) as client:
        for turn in range(count):
            target = targets[turn % len(targets)]
            with contextlib.suppress(httpx.HTTPError):
                client.get(
                    target.base_url + target.service.health.path,
                    headers=target.request_headers,
                    extensions=dict(target.extensions),
                )
