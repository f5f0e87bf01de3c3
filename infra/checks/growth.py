"""How fast a container's memory grows, with a bound on how sure that is."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from infra.domain.resources import HOUR_SECONDS, Growth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.domain.resources import Reading
    from infra.settings.resources import ResourceLimits

BLOCKS = 10
CONFIDENCE = 0.99
WARM_UP_SHARE = 0.2
"""The first part of the time is left out: a container that has just started fills its caches."""


def growth_of(series: Sequence[Reading], limits: ResourceLimits) -> Growth | None:
    """Return the slope of memory over time, None while the time or the number of readings is too small for it.

    The regression is over the means of equal numbers of readings: neighbours resemble each other, and taken one by one
    they would make the slope look far more certain than it is.
    """
    settled = [
        reading for reading in series if reading.at - series[0].at >= WARM_UP_SHARE * (series[-1].at - series[0].at)
    ]
    if len(settled) < max(limits.soak_samples, 2 * BLOCKS) or settled[-1].at - settled[0].at < limits.soak_seconds:
        return None
    from scipy import stats  # noqa: PLC0415 - it takes a second to load, and only a soak needs it

    blocks = [settled[len(settled) * n // BLOCKS : len(settled) * (n + 1) // BLOCKS] for n in range(BLOCKS)]
    moments = [statistics.fmean(reading.at for reading in block) for block in blocks]
    sizes = [statistics.fmean(reading.memory_bytes for reading in block) for block in blocks]
    if min(sizes) == max(sizes):
        return Growth(per_hour=0.0, low=0.0, high=0.0)  # the regression has no error to tell of a line without slope
    line = stats.linregress(moments, sizes)
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, BLOCKS - 2) * line.stderr
    return Growth(
        per_hour=float(line.slope) * HOUR_SECONDS,
        low=float(line.slope - margin) * HOUR_SECONDS,
        high=float(line.slope + margin) * HOUR_SECONDS,
    )
