"""How a candidate is compared with the release that it would replace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from infra.settings.base import Model, Name, Seconds

if TYPE_CHECKING:
    from infra.settings.model import Service


class SafeRequest(Model):
    """A request that changes nothing, asked of candidate and current in turn."""

    service: Name = Field(description="Service that is asked.")
    method: Literal["GET", "POST"] = Field(default="GET", description="POST only to `repeatable_paths`.")
    path: str = Field(pattern=r"^/", description="Path that is asked.")
    body: dict[str, Any] | None = Field(default=None, description="JSON sent with a POST.")
    status: int = Field(default=200, ge=200, le=499, description="Status of a good answer.")

    def __str__(self) -> str:
        """Return the request as reports name it."""
        return f"{self.method} {self.path}"


USUAL_REQUESTS = (
    SafeRequest(
        service="acp-ingest", method="POST", path="/api/v1/search", body={"query": "quarterly figures", "limit": 5}
    ),
    # No job has this id: the answer takes the whole way through the service to its store and back.
    SafeRequest(service="acp-agents", path="/api/v1/jobs/00000000-0000-4000-8000-000000000000", status=404),
)
"""The work of Analyst Copilot that is safe to ask for, where a stack does not name its own."""


class Regression(Model):
    """Candidate against current, both asked in turn during the trial; a candidate that is worse is reverted."""

    enabled: bool = Field(default=True, description="Compare whenever there is a current release.")
    tolerated_ratio: float = Field(
        default=1.05, ge=1, description="Worse is a time that is surely above this many times the current release's."
    )
    tolerated_ms: float = Field(
        default=2, ge=0, description="A difference up to this many milliseconds is never worse, whatever its ratio."
    )
    max_ratio: float = Field(
        default=1.15, gt=1, description="Fine is a time that is surely below this many times the current release's."
    )
    max_ms: float = Field(default=2000, gt=0, description="Time of an answer that is worse whatever current takes.")
    confidence: float = Field(
        default=0.95, ge=0.8, le=0.999, description="Confidence of the intervals; looks before the end are surer."
    )
    max_pairs: int = Field(default=250, ge=20, le=1000, description="Pairs of answers per request at most.")
    budget_seconds: Seconds = Field(default=3, description="Time after which no more is measured than a verdict needs.")
    fail_when_unknown: bool = Field(default=False, description='Revert, too, when the verdict is "cannot tell".')
    requests: tuple[SafeRequest, ...] = Field(
        default=(), description="What is asked; none: search and the state of a job, else a service's health."
    )

    @model_validator(mode="after")
    def _room_between(self) -> Self:
        if self.max_ratio <= self.tolerated_ratio:
            msg = f"max_ratio: must be above tolerated_ratio ({self.tolerated_ratio:g}, got {self.max_ratio:g})"
            raise ValueError(msg)
        return self

    def requests_of(self, services: dict[str, Service]) -> list[SafeRequest]:
        """Return what to ask: the stack's own requests or the usual ones, and the health of what has none."""
        web = {name: service for name, service in services.items() if service.routes is not None}
        usual = [request for request in USUAL_REQUESTS if request.service in web and _is_safe(request, web)]
        chosen = list(self.requests) or usual
        asked = {request.service for request in chosen}
        health = [SafeRequest(service=name, path=service.health.path) for name, service in web.items()]
        return chosen + [request for request in health if request.service not in asked]


def _is_safe(request: SafeRequest, services: dict[str, Service]) -> bool:
    routes = services[request.service].routes
    return request.method == "GET" or (routes is not None and request.path in routes.repeatable_paths)
