"""How a release takes over."""

from __future__ import annotations

import itertools
from typing import Literal

from pydantic import Field, field_validator

from infra.settings.base import Model, ReleaseId, Seconds


class Canary(Model):
    """How a canary moves traffic and judges it."""

    steps: tuple[int, ...] = Field(default=(10, 25, 50), min_length=1, description="Candidate's share in percent.")
    bake_seconds: Seconds = Field(default=20, description="Time each step is watched.")
    min_requests: int = Field(default=50, ge=1, description="Requests a verdict needs; fewer is insufficient data.")
    max_error_rate_increase: float = Field(
        default=0.01, ge=0, le=1, description="Error rate of the candidate above the current release's."
    )
    max_latency_ratio: float = Field(
        default=1.5,
        gt=1,
        description="Mean time to the first byte of an answer against the current release's; what takes longer, and "
        "is no chance, is watched for another step before it is reverted.",
    )
    max_refusal_rate_increase: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of answers with a status of 400 to 499 above the current release's; 1 where a release is "
        "meant to refuse what the one before took.",
    )
    max_failures: int = Field(
        default=5, ge=1, description="Failed unrepeatable requests until the edge itself ejects it."
    )

    @field_validator("steps")
    @classmethod
    def _steps_rise(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        for index, step in enumerate(steps):
            if not 1 <= step <= 99:  # noqa: PLR2004 - percent
                msg = f"[{index}]: must be 1..99 (got {step})"
                raise ValueError(msg)
        if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
            msg = f"must rise (got {list(steps)})"
            raise ValueError(msg)
        return steps


class Rollout(Model):
    """How a release takes over."""

    strategy: Literal["blue-green", "canary"] = Field(default="blue-green", description="All at once, or by steps.")
    confirm_timeout_seconds: Seconds = Field(
        default=120, description="A trial that nobody renews in this time reverts itself."
    )
    lease_seconds: int = Field(
        default=30, ge=5, le=60, description="A deployer that is silent for this time may be taken over."
    )
    canary: Canary = Field(default_factory=Canary, description="Used by strategy `canary`.")
    unreachable_host: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="What a rollback does about a host that cannot be reached: nothing at all, or go back on the "
        "others. A release always needs every host.",
    )
    keep: int = Field(default=5, ge=1, le=50, description="Parked releases kept on each host, and in the registry.")
    pinned: tuple[ReleaseId, ...] = Field(
        default=(), description="Releases that are never pruned, on the hosts and in the registry."
    )

    @property
    def heartbeat_seconds(self) -> float:
        """Return how often trial and lease are renewed: three renewals may get lost before either is over."""
        return min(self.lease_seconds, self.confirm_timeout_seconds) / 4
