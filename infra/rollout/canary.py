"""One step of a canary: watch candidate and current over the same time, then judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.canary import Sample, Thresholds, Verdict, judge, merge, sample
from infra.errors import CheckError
from infra.rollout.probes import probe_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.rollout.context import RolloutContext
    from infra.rollout.heartbeat import Heartbeat

COUNTERS_TIMEOUT_SECONDS = 20.0


def bake(context: RolloutContext, current: str, heartbeat: Heartbeat) -> list[str]:
    """Watch one step; return the reasons for going on, raise `CheckError` for stopping."""
    settings = context.settings.rollout.canary
    thresholds = Thresholds(
        min_requests=settings.min_requests,
        max_error_rate_increase=settings.max_error_rate_increase,
        max_latency_ratio=settings.max_latency_ratio,
    )
    before = _counters(context)
    heartbeat.wait(settings.bake_seconds)
    _require_trial(context)
    after = _counters(context)
    reasons: list[str] = []
    for service in _services(after):
        candidate = _merged(before, after, service, context.release)
        serving = _merged(before, after, service, current)
        judgement = judge(service, candidate, serving, thresholds)
        if judgement.verdict is Verdict.INSUFFICIENT:
            reasons.append(f"{judgement.reason}: asking it ourselves")
            probed = probe_samples(context, service, thresholds.min_requests)
            _require_trial(context)
            judgement = judge(service, probed.candidate, probed.current, thresholds)
        if judgement.verdict is not Verdict.GOOD:
            raise CheckError(f"canary: {judgement.reason}", mend="the release before serves; mend the candidate")
        reasons.append(judgement.reason)
    return reasons


def _require_trial(context: RolloutContext) -> None:
    """Raise the reason why a host took the candidate out by itself: its counters would only say that nobody asked."""
    context.group.call("renew", timeout_seconds=COUNTERS_TIMEOUT_SECONDS, release=context.release)


def _counters(context: RolloutContext) -> dict[str, dict[str, Any]]:
    return context.group.each(lambda client: client.call("counters", timeout_seconds=COUNTERS_TIMEOUT_SECONDS))


def _services(readings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({service for reading in readings.values() for service in reading["services"]})


def _merged(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], service: str, release: str
) -> Sample:
    """Return what `release` of `service` did on all hosts between the two readings."""
    return merge(
        [
            sample(
                before[host]["services"].get(service, {}).get(release, {}),
                reading["services"].get(service, {}).get(release, {}),
            )
            for host, reading in after.items()
        ]
    )
