"""HAProxy's `show stat` and `show proc`, read into values; pure."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from typing import Any

FALLBACK_SUFFIX = ":fallback"
VERIFY_SUFFIX = ":verify"
BACKUP_SUFFIX = ":backup"
FAILURES = re.compile(r"^# table: ([^,\s]+),|\bgpc0=([0-9]+)$")
NOT_SERVERS = {"FRONTEND", "BACKEND"}
TIMES = ("qtime", "ctime", "rtime")
"""Milliseconds in the queue, for the connection, and until the first byte of the answer. `ttime`, the whole time, is
measured from the answer before on the same connection: it counts how long a client paused as the server's time."""


@dataclass(frozen=True)
class ServerStat:
    """One replica in one worker of HAProxy; counts since that worker started."""

    backend: str
    server: str
    status: str
    weight: int
    sessions: int
    requests: int
    http_2xx: int
    http_3xx: int
    http_4xx: int
    http_5xx: int
    connect_errors: int
    response_errors: int
    retries: int
    redispatches: int
    time_ms_average: int

    @property
    def release(self) -> str:
        """Return the release it belongs to."""
        return self.server.partition(":")[0]

    @property
    def service(self) -> str:
        """Return the service it belongs to."""
        return self.backend.partition(":")[0]

    @property
    def is_fallback(self) -> bool:
        """Return whether this is the stand-by entry of a committed replica."""
        return self.backend.endswith(FALLBACK_SUFFIX) or self.server.endswith(BACKUP_SUFFIX)

    @property
    def is_verify(self) -> bool:
        """Return whether this entry has only requests of checks."""
        return self.backend.endswith(VERIFY_SUFFIX)

    @property
    def is_routed(self) -> bool:
        """Return whether this is a replica's own entry, by which requests of users reach it while it is well."""
        return not self.is_fallback and not self.is_verify

    @property
    def is_up(self) -> bool:
        """Return whether HAProxy would send it requests."""
        return self.status.startswith(("UP", "no check", "DRAIN"))


@dataclass(frozen=True)
class Worker:
    """One HAProxy worker process; old ones finish what they have."""

    pid: int
    is_old: bool


def parse_stats(text: str) -> list[ServerStat]:
    """Return the replicas in the answer to `show stat`."""
    rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
    return [_server(row) for row in rows if row.get("svname") and row["svname"] not in NOT_SERVERS]


def frontend_sessions(text: str) -> int:
    """Return how many connections the public frontends of a worker have."""
    rows = csv.DictReader(io.StringIO(text.lstrip("# ")))
    return sum(
        _count(row, "scur") for row in rows if row.get("svname") == "FRONTEND" and row.get("pxname") != "metrics"
    )


def parse_failures(text: str) -> dict[str, int]:
    """Return by service how many requests its candidate has lost, from the answers to `show table`.

    A table has one entry at most, from the first request on; the routes of a committed release have none.
    """
    found, service = {}, ""
    for line in text.splitlines():
        match = FAILURES.search(line.strip())
        if match and match[1]:
            service = match[1]
        elif match and service:
            found[service] = int(match[2])
    return found


def parse_workers(text: str) -> list[Worker]:
    """Return the workers in the master's answer to `show proc`."""
    workers, is_old = [], False
    for line in text.splitlines():
        if line.startswith("# old workers"):
            is_old = True
        parts = line.split()
        if len(parts) > 1 and parts[0].isdigit() and parts[1] == "worker":
            workers.append(Worker(pid=int(parts[0]), is_old=is_old))
    return workers


def _server(row: dict[str, Any]) -> ServerStat:
    """Return one row of the CSV."""
    return ServerStat(
        backend=row["pxname"],
        server=row["svname"],
        status=row.get("status") or "",
        weight=_count(row, "weight"),
        sessions=_count(row, "scur"),
        requests=_count(row, "stot"),
        http_2xx=_count(row, "hrsp_2xx"),
        http_3xx=_count(row, "hrsp_3xx"),
        http_4xx=_count(row, "hrsp_4xx"),
        http_5xx=_count(row, "hrsp_5xx"),
        connect_errors=_count(row, "econ"),
        response_errors=_count(row, "eresp"),
        retries=_count(row, "wretr"),
        redispatches=_count(row, "wredis"),
        time_ms_average=sum(_count(row, name) for name in TIMES),
    )


def _count(row: dict[str, Any], name: str) -> int:
    """Return a numeric cell, 0 when it is empty."""
    return int(row.get(name) or 0)
