"""The live view of a rollout: weight, requests, errors and latency per release, host by host."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from infra.adapters.ssh_sharing import shared
from infra.cli.options import console
from infra.errors import ReleaseError
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.settings import Settings

INTERVAL_SECONDS = 1.0
CALL_TIMEOUT_SECONDS = 10.0
HEADERS = (
    "host", "phase", "service", "release", "weight", "up", "requests", "per second", "failures", "mean ms", "sessions",
)  # fmt: skip


def watch(settings: Settings, emit: Callable[[list[dict[str, Any]]], None] | None = None) -> None:
    """Show the hosts until interrupted; with `emit`, hand over each reading instead of drawing it."""
    with contextlib.suppress(KeyboardInterrupt), shared(host_clients(settings)) as clients:
        readings = read_forever(clients)
        if emit is not None:
            for reading in readings:
                emit(reading)
            return
        with Live(console=console(), screen=False, auto_refresh=False) as live:
            for reading in readings:
                live.update(draw(reading), refresh=True)


def read_forever(clients: Sequence[HostctlClient]) -> Iterator[list[dict[str, Any]]]:
    """Yield one row per host, service and release, every second; rates are over the time since the last reading."""
    before: dict[tuple[str, str, str], tuple[float, int]] = {}
    with ThreadPoolExecutor(max_workers=len(clients)) as pool:
        while True:
            started = time.monotonic()
            rows = [row for rows in pool.map(_rows, clients) for row in rows]
            for row in rows:
                key = (row["host"], row["service"], row["release"])
                now = (time.monotonic(), row["requests"])
                then = before.get(key, now)
                row["per_second"] = round((now[1] - then[1]) / max(now[0] - then[0], 0.001), 1)
                before[key] = now
            yield rows
            time.sleep(max(0.0, started + INTERVAL_SECONDS - time.monotonic()))


def draw(rows: list[dict[str, Any]]) -> Table:
    """Return the rows as a table."""
    table = Table(*(Column(header, overflow="fold") for header in HEADERS))
    for row in rows:
        cells = (
            row["host"],
            row["phase"],
            row["service"],
            row["release"],
            row["weight"],
            f"{row['up']}/{row['servers']}",
            row["requests"],
            row["per_second"],
            row["failures"],
            row["mean_ms"],
            row["sessions"],
        )
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _rows(client: HostctlClient) -> list[dict[str, Any]]:
    """Return one host's rows; a host that does not answer is one row that says so."""
    try:
        status = client.call("status", timeout_seconds=CALL_TIMEOUT_SECONDS)
        counters = client.call("counters", timeout_seconds=CALL_TIMEOUT_SECONDS)
    except ReleaseError as error:
        return [_row(client.host.name, error.what.splitlines()[0], "-", "-", {})]
    return [
        _row(client.host.name, status["phase"], service, release, numbers)
        for service, releases in sorted(counters["services"].items())
        for release, numbers in sorted(releases.items())
    ] or [_row(client.host.name, status["phase"], "-", "-", {})]


def _row(host: str, phase: str, service: str, release: str, numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        "host": host,
        "phase": phase,
        "service": service,
        "release": release,
        "weight": numbers.get("weight", 0),
        "up": numbers.get("up", 0),
        "servers": numbers.get("servers", 0),
        "requests": numbers.get("requests", 0),
        "failures": numbers.get("failures", 0),
        "mean_ms": numbers.get("time_ms_average", 0),
        "sessions": numbers.get("sessions", 0),
    }
