"""What one arrival of each load scenario does; the scripts in `k6/` do exactly this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MIXED = "mixed"
"""All scenarios of a profile at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Endpoints with the fewest requests that one arrival sends there, and about how long it takes."""

    endpoints: Mapping[str, int]
    seconds: float


INGEST = {"paste": 1, "ingest_status": 1, "remove_document": 1}
SEARCH = {"search": 1}
AGENTS = {"start_job": 1, "job": 1, "job_results": 1, "remove_job": 1}

WORK = {
    "smoke": Work(endpoints={"health": 2, "ready": 2, **INGEST, **SEARCH, **AGENTS}, seconds=10),
    "ingest": Work(endpoints=INGEST, seconds=3),
    "search": Work(endpoints=SEARCH, seconds=0.3),
    "agents": Work(endpoints=AGENTS, seconds=10),
}
