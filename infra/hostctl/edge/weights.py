"""Server weights from the share of requests that a candidate is to have."""

from __future__ import annotations

HEAVIEST = 256
FULL = 100


def spread(share: int, currents: int, candidates: int) -> tuple[int, int]:
    """Return the weights (0..256) of each current and each candidate replica that give candidates `share` percent."""
    old = (FULL - share) / currents if currents else 0.0
    new = share / candidates if candidates else 0.0
    heaviest = max(old, new)
    if heaviest == 0:
        return 0, 0
    return _scaled(old, heaviest), _scaled(new, heaviest)


def _scaled(value: float, heaviest: float) -> int:
    """Return a weight scaled so that the heaviest is 256; a share above nothing is never rounded to nothing."""
    return max(1, round(value * HEAVIEST / heaviest)) if value > 0 else 0
