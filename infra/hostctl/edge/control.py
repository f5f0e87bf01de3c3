"""The edge as it runs: checking and loading of routes, weights, readings."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import HostctlError
from ..files import read_json, write_json
from ..lock import locked
from .config import render_config
from .container import HOLDER, RELIEFS
from .files import COMMITTED, TRIAL
from .ledger import Ledger
from .settings import EdgeSettings
from .sockets import ask
from .stats import ServerStat, Worker, frontend_sessions, parse_failures, parse_stats, parse_workers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..clock import Clock
    from ..engine import Engine
    from .files import EdgeFiles
    from .routing import Routing

RELOAD_SECONDS = 20.0
READY_SECONDS = 15.0
POLL_SECONDS = 0.05
LEDGER_WAIT_SECONDS = 5.0
ANSWER_END = "\n\n"
"""HAProxy ends every answer with an empty line; one that was cut off has fewer replicas, or half a number."""


@dataclass(frozen=True)
class WorkerReading:
    """What one worker of HAProxy says: replicas, open client connections, and whether it only finishes what it has."""

    key: str
    is_old: bool
    stats: tuple[ServerStat, ...]
    client_sessions: int


@dataclass(frozen=True)
class Survey:
    """What the workers of HAProxy say, and the beginnings of the keys of those that live and did not answer.

    A reload cuts off the questions that are under way: who did not answer once may have requests, and answers later.
    """

    readings: tuple[WorkerReading, ...] = ()
    silent: tuple[str, ...] = ()


class Edge:
    """The one HAProxy of this host."""

    def __init__(self, files: EdgeFiles, engine: Engine, clock: Clock) -> None:
        """Work on the edge whose files are `files`."""
        self.files = files
        self._engine = engine
        self._clock = clock

    @property
    def settings(self) -> EdgeSettings:
        """Return what the edge is set up for; raise `edge_missing` before that."""
        saved = self.files.load()
        if saved is None:
            raise HostctlError("edge_missing", "the edge was never set up on this host")
        return EdgeSettings.from_json(saved["settings"])

    @property
    def is_set_up(self) -> bool:
        """Return whether the edge was set up on this host."""
        return self.files.load() is not None

    def container(self) -> str:
        """Return the container whose HAProxy serves; raise `edge_missing` when none does."""
        preferred = (self.files.load() or {}).get("container", HOLDER)
        for name in dict.fromkeys((preferred, HOLDER, *RELIEFS)):
            if self._answers(name):
                return str(name)
        raise HostctlError("edge_missing", "HAProxy does not run on this host")

    def accepting(self) -> list[str]:
        """Return every container whose HAProxy takes requests; one that only finishes what it has does not answer."""
        return [name for name in (HOLDER, *RELIEFS) if self._answers(name)]

    def is_running(self) -> bool:
        """Return whether HAProxy serves."""
        try:
            self.container()
        except HostctlError:
            return False
        return True

    def wait_running(self, container: str | None = None, *, timeout_seconds: float = READY_SECONDS) -> None:
        """Wait until HAProxy serves, in `container` if it is named."""
        deadline = self._clock.monotonic() + timeout_seconds
        while not (self._answers(container) if container else self.is_running()):
            if self._clock.monotonic() >= deadline:
                logs = self._engine.log_tail(container or HOLDER, 20)
                raise HostctlError("edge_failed", "HAProxy did not start", logs=logs)
            self._clock.sleep(POLL_SECONDS)

    def routes_in_use(self) -> str | None:
        """Return `committed` or `trial`, or None when nothing serves."""
        if not self.is_running():
            return None
        return "trial" if self.files.active(self.container()) == TRIAL else "committed"

    def write_committed(self, routing: Routing) -> bool:
        """Write the routes that a restart restores, checked first; return whether they changed."""
        return self._write(COMMITTED, render_config(self.settings, routing))

    def has_written(self, routing: Routing) -> bool:
        """Return whether the file that a restart restores is the one of `routing`."""
        return self.files.read_routes(COMMITTED) == render_config(self.settings, routing)

    def load_committed(self) -> None:
        """Make HAProxy use the committed routes."""
        self._load(COMMITTED)

    def replace_committed(self, text: str) -> None:
        """Check, write and load committed routes that were rendered already."""
        self._write(COMMITTED, text)
        self._load(COMMITTED)

    def write_trial(self, routing: Routing) -> None:
        """Write trial routes, checked first: to load them takes the less time."""
        self._write(TRIAL, render_config(self.settings, routing))

    def load_trial(self, routing: Routing) -> None:
        """Make HAProxy use these trial routes."""
        self.write_trial(routing)
        self._load(TRIAL)
        self._pass_first_check(routing)

    def has_loaded(self, routing: Routing) -> bool:
        """Return whether HAProxy knows exactly the replicas of `routing`."""
        wanted = {(backend.service, server.name) for backend in routing.backends for server in backend.servers}
        loaded = {(stat.backend, stat.server) for stat in self.stats() if stat.is_routed}
        return wanted == loaded

    def set_weights(self, routing: Routing) -> None:
        """Give every replica its weight at once, those that gain before those that lose; a reload keeps them."""
        with contextlib.suppress(HostctlError):  # only a reload needs the file, and traffic must move on a full disk
            self.files.write_routes(TRIAL, render_config(self.settings, routing))
        pairs = [(backend.service, server) for backend in routing.backends for server in backend.servers]
        pairs.sort(key=lambda pair: pair[1].weight == 0)
        self.command(
            "; ".join(f"set server {service}/{server.name} weight {server.weight}" for service, server in pairs)
        )

    def command(self, command: str) -> str:
        """Send a command to the serving worker; anything that it answers but blanks is an error."""
        answer = ask(self._worker_socket(self.container()), command)
        if answer.strip():
            raise HostctlError("edge_failed", f"HAProxy refused: {answer.strip()}", command=command)
        return answer

    def transact(self, command: str, *, expected: str) -> None:
        """Send a command whose answer must have the text `expected`; the command itself is not shown."""
        answer = ask(self._worker_socket(self.container()), command)
        if expected not in answer:
            raise HostctlError("certificate_invalid", f"HAProxy refused: {_last_line(answer)}")

    def stats(self) -> list[ServerStat]:
        """Return the replicas as the serving worker sees them; counts are since its start."""
        return parse_stats(ask(self._worker_socket(self.container()), "show stat"))

    def failures(self, services: Iterable[str]) -> dict[str, int]:
        """Return how many requests each service's candidate has lost since its routes were loaded."""
        tables = "; ".join(f"show table {service}" for service in services)
        return parse_failures(ask(self._worker_socket(self.container()), tables)) if tables else {}

    def survey(self) -> Survey:
        """Ask every living worker, old ones too."""
        readings, silent = [], []
        for container in (HOLDER, *RELIEFS):
            try:
                text = ask(self._master_socket(container), "show proc")
            except HostctlError as error:
                # For a part of a reload nobody listens for the master; its workers serve on.
                if error.code != "edge_missing" or self._answers(container):
                    silent.append(f"{container}/")
                continue
            workers = parse_workers(text)
            if not workers or not text.endswith(ANSWER_END):
                silent.append(f"{container}/")
            for worker in workers:
                reading = self._reading(container, worker)
                if reading is None:
                    silent.append(f"{container}/{worker.pid}/")
                else:
                    readings.append(reading)
        return Survey(tuple(readings), tuple(silent))

    def fold_counters(self) -> tuple[Ledger, Survey]:
        """Read all workers, add what is new to the counters on disk, and return these and what the workers said."""
        with locked(self.files.folder / "counters.lock", self._clock, wait_seconds=LEDGER_WAIT_SECONDS):
            ledger = Ledger.from_json(read_json(self.files.counters))
            before = (repr(ledger.totals), repr(ledger.seen))
            survey = self.survey()
            ledger.fold({reading.key: reading.stats for reading in survey.readings}, silent=survey.silent)
            if (repr(ledger.totals), repr(ledger.seen)) != before:
                write_json(self.files.counters, ledger.to_json())
            return ledger, survey

    def forget_counters(self, kept: Iterable[str]) -> None:
        """Drop the counters of releases that are gone."""
        with locked(self.files.folder / "counters.lock", self._clock, wait_seconds=LEDGER_WAIT_SECONDS):
            ledger = Ledger.from_json(read_json(self.files.counters))
            ledger.keep(kept)
            write_json(self.files.counters, ledger.to_json())

    def _write(self, name: str, text: str) -> bool:
        """Check routes under a name of their own, then put them in place."""
        if self.files.read_routes(name) == text:
            return False
        checked = f"checked-{name}"
        self.files.write_routes(checked, text)
        try:
            self._check(checked)
            return self.files.write_routes(name, text)
        finally:
            (self.files.config / checked).unlink(missing_ok=True)

    def _check(self, name: str) -> None:
        """Raise `edge_config_invalid` unless HAProxy accepts a route file."""
        container = self.container()
        argv = ["/bin/sh", "-c", f"ACP_RUN=/run/acp/{container} exec haproxy -q -c -f /edge/{name}"]
        status, output = self._engine.execute(container, argv)
        if status != 0:
            raise HostctlError(
                "edge_config_invalid",
                f"HAProxy refused its configuration: {_last_line(output)}",
                output=output.splitlines()[-10:],
            )

    def _load(self, name: str) -> None:
        """Reload HAProxy with a route file; when it refuses, the one before stays in use."""
        container = self.container()
        before = self.files.active(container) or COMMITTED
        with contextlib.suppress(HostctlError):  # counters that cannot be written stop no switch
            self.fold_counters()
        self.files.activate(container, name)
        try:
            answer = ask(self._master_socket(container), "reload", timeout_seconds=RELOAD_SECONDS)
        except HostctlError:
            self.files.activate(container, before)
            raise
        if not answer.startswith("Success=1"):
            self.files.activate(container, before)
            raise HostctlError(
                "edge_failed", f"HAProxy did not reload: {_last_line(answer)}", output=answer.splitlines()[-10:]
            )

    def _pass_first_check(self, routing: Routing) -> None:
        """Have a candidate fail as many checks as its `fall` says before it is taken out, for good.

        After a load HAProxy takes out at the first one that fails whoever has not passed any.
        """
        candidates = [(backend.service, server) for backend in routing.backends for server in backend.candidates]
        with contextlib.suppress(HostctlError):
            self.command("; ".join(f"set server {service}/{server.name} health up" for service, server in candidates))

    def _reading(self, container: str, worker: Worker) -> WorkerReading | None:
        """Return what one worker says, or None when it does not answer, or not to the end."""
        socket = self._master_socket(container)
        try:
            info = ask(socket, f"@!{worker.pid} show info")
            text = ask(socket, f"@!{worker.pid} show stat")
        except HostctlError:
            return None
        start = next(
            (line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("Start_time_sec:")), ""
        )
        if not start or not text.startswith("# ") or not text.endswith(ANSWER_END):
            return None
        serving = (self.files.load() or {}).get("container", HOLDER)
        return WorkerReading(
            key=f"{container}/{worker.pid}/{start}",
            is_old=worker.is_old or container != serving,
            stats=tuple(parse_stats(text)),
            client_sessions=frontend_sessions(text),
        )

    def _answers(self, container: str) -> bool:
        """Return whether a container's HAProxy has a worker that answers."""
        try:
            return "Pid:" in ask(self._worker_socket(container), "show info")
        except HostctlError:
            return False

    def _worker_socket(self, container: str) -> Path:
        return self.files.run(container) / "worker.sock"

    def _master_socket(self, container: str) -> Path:
        return self.files.run(container) / "master.sock"


def _last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
