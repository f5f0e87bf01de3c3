"""One measured figure, printed as one JSON line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric, its value in `unit`, and how many measurements `n` stand behind it."""

    metric: str
    value: float
    unit: str
    n: int

    def to_line(self) -> str:
        """Return the figure as `make bench` prints it."""
        return json.dumps({**asdict(self), "value": round(self.value, 3)})
