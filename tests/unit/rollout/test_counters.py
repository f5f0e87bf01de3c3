"""What is read out of the counters of several hosts."""

from __future__ import annotations

from typing import Any

import pytest

from infra.domain.canary import Times
from infra.rollout.counters import Counters
from tests.support.fake_hostctl import PREVIOUS, make_stage


def reading(release: str, **replicas: tuple[int, float]) -> dict[str, Any]:
    """Return what a host says of a release's replicas: requests and their mean."""
    told = {name: {"requests": count, "time_ms_average": mean_ms} for name, (count, mean_ms) in replicas.items()}
    return {"services": {"acp-ingest": {release: {"replicas": told}}}}


def test_times_are_of_all_hosts_and_workers_between_the_readings() -> None:
    """What a replica did before does not count; one in a worker that began meanwhile counts from its beginning."""
    stage = make_stage()
    release = stage.context.release
    readings = [
        {"h1": reading(release, old=(100, 90)), "h2": reading(release, w=(10, 10))},
        {"h1": reading(release, old=(200, 50), new=(50, 10)), "h2": reading(release, w=(20, 10))},
        {"h1": reading(release, new=(100, 10)), "h2": reading(release, w=(60, 10))},
    ]
    candidate, current = Counters(stage.context, PREVIOUS).times("acp-ingest", readings)
    assert (candidate.requests, candidate.mean_ms) == (250, 10)
    assert candidate.looks == pytest.approx((10,) * 5)
    assert current == Times(requests=0, mean_ms=0.0)
