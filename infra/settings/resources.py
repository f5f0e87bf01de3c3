"""What the containers of a release may use while it is on trial, and in a soak."""

from __future__ import annotations

from pydantic import ByteSize, Field

from infra.settings.base import Model, Seconds


class ResourceLimits(Model):
    """Limits of every container of the candidate; a breach before the commit reverts the release."""

    interval_seconds: Seconds = Field(default=2, description="Time between two readings of every container.")
    max_memory_percent: float = Field(
        default=80, gt=0, le=100, description="Memory without page cache, in percent of the container's limit."
    )
    max_cpu_percent: float | None = Field(
        default=None, gt=0, description="Mean CPU over the watched time, in percent of one CPU."
    )
    max_restarts: int = Field(default=0, ge=0, description="Restarts by Docker.")
    max_oom_kills: int = Field(default=0, ge=0, description="Processes that the kernel killed for memory.")
    max_connections: int | None = Field(default=None, ge=1, description="Open TCP connections of one container.")
    max_disk_bytes: ByteSize | None = Field(default=None, description="Size of the container's writable layer.")
    max_growth_bytes_per_hour: ByteSize = Field(
        default=ByteSize(64 * 1024**2), description="Growth of memory that counts as a leak, judged in a soak."
    )
    soak_seconds: Seconds = Field(default=120, description="Least time of watching for a verdict on growth.")
    soak_samples: int = Field(default=30, ge=10, description="Least readings for a verdict on growth.")
