"""Room on the disk of every host."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from infra.checks.blame import DISK_SPACE
from infra.checks.replicas import CALL_SECONDS, unreachable
from infra.checks.result import CheckResult
from infra.errors import ReleaseError

if TYPE_CHECKING:
    from infra.adapters.hostctl import HostctlClient
    from infra.checks.inquiry import Inquiry

GIBIBYTE = 1024**3
RESOURCES = "hostctl resources"


async def check_disk_space(inquiry: Inquiry) -> list[CheckResult]:
    """Ask every host for its free bytes where the containers' data is."""
    return list(await asyncio.gather(*(_host(inquiry, client) for client in inquiry.subject.hosts)))


async def _host(inquiry: Inquiry, client: HostctlClient) -> CheckResult:
    began = time.monotonic()
    try:
        answer = await inquiry.host(client, "resources", at_most_seconds=CALL_SECONDS)
    except ReleaseError as error:
        return unreachable(DISK_SPACE, client.host.name, RESOURCES, error)
    free, wanted = int(answer["host"]["disk_free_bytes"]), int(inquiry.settings.checks.suite.disk_space.min_free_bytes)
    passed = free >= wanted
    return CheckResult(
        check=DISK_SPACE,
        target=client.host.name,
        passed=passed,
        asked=RESOURCES,
        came=f"{free / GIBIBYTE:.1f} GiB are free, {wanted / GIBIBYTE:.1f} GiB must be",
        seconds=time.monotonic() - began,
        look_at="" if passed else "`docker system df` on the host; parked releases go with `rollout.keep`",
        dependencies=() if passed else (DISK_SPACE,),
    )
