"""The candidate against the release that it would replace, on the hosts where both are up."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from infra.adapters.forward import forwarded
from infra.checks.regression import Comparison, Way, compare
from infra.domain.regression import Judgement, Verdict
from infra.errors import CheckError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.rollout.context import RolloutContext


def compare_releases(
    context: RolloutContext, started: Mapping[str, Mapping[str, Any]], show: Callable[[str], None]
) -> list[Judgement]:
    """Return the verdicts on every host that has both releases, as its answer to `start` says.

    Without a release before, or where the stack wants none, there is nothing to compare: no verdicts.
    """
    settings = context.settings.load.regression
    ports = {name: _ports(answer) for name, answer in started.items() if answer.get("verify_current")}
    if not settings.enabled or not ports:
        return []
    with contextlib.ExitStack() as stack:
        ways = [
            _ways(stack, client, ports[client.host.name])
            for client in context.group.clients
            if client.host.name in ports
        ]
        comparisons = [
            Comparison(request=request, ways=found)
            for request in settings.requests_of(context.settings.services)
            if (found := [way[request.service] for way in ways if request.service in way])
        ]
        verdicts = compare(comparisons, settings)
    for verdict in verdicts:
        show(f"  {verdict}")
    return verdicts


def require_as_good(context: RolloutContext, verdicts: Sequence[Judgement]) -> None:
    """Raise `CheckError` when the candidate is worse, or, where the stack asks for it, when nobody can tell."""
    settings = context.settings.load.regression
    refused = [v for v in verdicts if v.verdict is Verdict.WORSE or (_is_unknown(v) and settings.fail_when_unknown)]
    if refused:
        raise CheckError(
            "the candidate is not as good as the current release\n"
            + "\n".join(f"    {verdict}" for verdict in refused),
            mend="mend the candidate; if it is meant, set `acp:load` `regression` for this release",
        )


def _is_unknown(verdict: Judgement) -> bool:
    return verdict.verdict is Verdict.UNKNOWN


def _ports(answer: Mapping[str, Any]) -> dict[str, int]:
    """Return the loopback ports of a host by side and service, for the services that both releases have."""
    both = [service for service in answer["verify"] if service in answer["verify_current"]]
    return {
        f"{side} {service}": answer[key][service]
        for side, key in (("candidate", "verify"), ("current", "verify_current"))
        for service in both
    }


def _ways(stack: contextlib.ExitStack, client: HostctlClient, ports: Mapping[str, int]) -> dict[str, Way]:
    """Return the ways to a host's services, through a tunnel that `stack` closes."""
    local = stack.enter_context(forwarded(client, ports))
    services = [name.partition(" ")[2] for name in local if name.startswith("candidate ")]
    return {
        service: Way(
            candidate_url=f"http://127.0.0.1:{local[f'candidate {service}']}",
            current_url=f"http://127.0.0.1:{local[f'current {service}']}",
        )
        for service in services
    }
