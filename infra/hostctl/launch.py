"""What a cold and a warm start have in common: containers up, ready, in the trial routes; or all of it undone."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Sequence

from . import fleet, trial
from .errors import HostctlError
from .state import ANSWERING, READY, STARTED, STARTING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .clock import Clock
    from .fields import Fields
    from .host import Host
    from .spec import ReleaseSpec, Service


STAGES = (STARTED, ANSWERING, READY)
"""How far a start may be asked to go, in this order."""
WORKERS_WAIT_SECONDS = 5.0
"""How long the workers of a candidate wait at most for its web services: these may depend on them."""

Up = Callable[[Sequence[str]], None]
"""Brings up services of a candidate by their names in its compose file, all for none; those that run are left alone."""


class Timer:
    """Measures parts of a call."""

    def __init__(self, clock: Clock) -> None:
        """Measure with `clock`."""
        self._clock = clock
        self.timings: dict[str, float] = {}

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure the block in seconds."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self.timings[name] = round(self._clock.monotonic() - began, 3)


def read_confirm_seconds(fields: Fields) -> float:
    """Read how long a trial lives without a word from the driver."""
    return fields.number("confirm_timeout_seconds", trial.DEFAULT_CONFIRM_SECONDS, most=3600)


def read_until(fields: Fields) -> str:
    """Read how far a start is to go."""
    return fields.text("until", READY, pattern="|".join(STAGES), hint=f"must be one of {', '.join(STAGES)}")


def is_serving(host: Host, release: str) -> bool:
    """Return whether a release is the committed one already."""
    state = host.state
    return state.current == release and state.trial is None


def launch(
    host: Host,
    spec: ReleaseSpec,
    timer: Timer,
    confirm_seconds: float,
    up: Up,
    *,
    until: str = READY,
    workers_later: bool = False,
    return_reason: str = "",
) -> None:
    """Begin the trial, bring the containers up, wait until ready, put them into the trial routes; or undo it all.

    With another `until` the next call goes on (see `take_up`), and workers leave the processor to what has to answer.
    With `workers_later` only what requests need is waited for: workers are started with the cutover, and up to then
    those of the release that serves take the tasks. `return_reason`: see `Trial`.
    """
    with host.journal.step("start", "begin", release=spec.release):
        trial.begin(host, spec, confirm_timeout_seconds=confirm_seconds, return_reason=return_reason)
    with _undone_on_failure(host, spec):
        with host.journal.step("start", "up", release=spec.release), timer.measure("up_seconds"):
            host.progress("start", f"starting {spec.release}")
            up(() if until == READY else _without_workers(spec))
            if until == STARTED:
                trial.leave_started(host)
        if until != STARTED:
            _wait_ready(host, spec, timer, up, until=until, workers_later=workers_later)


def take_up(host: Host, spec: ReleaseSpec, timer: Timer, up: Up, *, until: str = READY) -> bool | None:
    """Go on with what an earlier call did for the same release; return whether that changed anything.

    A candidate that was left before it was ready is waited for as `launch` does, one that is as far as asked has its
    time again. None when there is nothing to go on with.
    """
    if is_serving(host, spec.release):
        return False
    existing = host.state.trial
    if existing is None or existing.phase == STARTING:
        return None
    if existing.phase not in STAGES[: STAGES.index(until)]:
        trial.renew(host, existing)
        return False
    trial.resume(host, existing)
    with _undone_on_failure(host, spec):
        _wait_ready(host, spec, timer, up, until=until, workers_later=False)
    return True


def launch_kept(
    host: Host,
    spec: ReleaseSpec,
    timer: Timer,
    confirm_seconds: float,
    *,
    workers_later: bool,
    until: str = READY,
    return_reason: str = "",
) -> None:
    """Launch a parked release: its own containers, the environment they ran with, nothing asked of the registry."""
    services = spec.web_services if workers_later else spec.services
    launch(
        host,
        spec,
        timer,
        confirm_seconds,
        lambda _: fleet.start_services(host, spec, services),
        until=until,
        workers_later=workers_later,
        return_reason=return_reason,
    )


def _wait_ready(host: Host, spec: ReleaseSpec, timer: Timer, up: Up, *, until: str, workers_later: bool) -> None:
    """Wait for the containers of the trial, sooner asked again where they served before, then route to them.

    Those that served before are ready so soon that there is no stop on the way. To answer takes no workers: to start
    them, and to ask their health check again and again, would only take the processor from those that start.
    """
    is_kept = host.state.trial is not None and host.state.trial.was_parked
    phase = READY if is_kept else until
    with host.journal.step("ready", "probe", release=spec.release), timer.measure("ready_seconds"):
        trial.prepare(host, spec)
        host.progress("ready", f"waiting until {spec.release} {'answers' if phase == ANSWERING else 'is ready'}")
        if is_kept:
            shown = _part(spec, spec.web_services) if workers_later else spec
            host.prober().wait(shown, fastest_seconds=trial.WARM_INTERVAL_SECONDS)
        elif phase == ANSWERING:
            _wait_answering(host, spec, up)
        else:
            _wait_for_all(host, spec, up)
    with host.journal.step("ready", "trial_routes", release=spec.release):
        is_to_come = workers_later or (phase == ANSWERING and _lacks_workers(host, spec))
        trial.settle(host, spec, phase, waits_for_workers=is_to_come)


def _wait_answering(host: Host, spec: ReleaseSpec, up: Up) -> None:
    """Wait until the web services of a candidate answer once; where that takes long, its workers may be what lacks."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="answering") as pool:
        answering = pool.submit(host.prober().wait, _part(spec, spec.web_services), passes=1)
        if not wait([answering], WORKERS_WAIT_SECONDS).done and _lacks_workers(host, spec):
            up(_workers_of(spec))
        answering.result()


def _wait_for_all(host: Host, spec: ReleaseSpec, up: Up) -> None:
    """Wait for every replica; the workers that still lack are brought up while the web services prove to be ready."""
    if not _lacks_workers(host, spec):
        host.prober().wait(spec)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="workers") as pool:
        bringing = pool.submit(up, _workers_of(spec))
        host.prober().wait(_part(spec, spec.web_services))
        bringing.result()
    host.prober().wait(_part(spec, spec.workers))


def _part(spec: ReleaseSpec, services: tuple[Service, ...]) -> ReleaseSpec:
    """Return a release of which only some services are looked at."""
    return replace(spec, services=services)


def _lacks_workers(host: Host, spec: ReleaseSpec) -> bool:
    """Return whether a worker of a candidate does not run, as before it was brought up."""
    return bool(fleet.stopped(host, _part(spec, spec.workers)))


def _workers_of(spec: ReleaseSpec) -> list[str]:
    """Return the workers by their names in the compose file."""
    return [service.compose_service for service in spec.workers]


def _without_workers(spec: ReleaseSpec) -> list[str]:
    """Return what is no worker in the compose file, also what a release says nothing about."""
    workers = _workers_of(spec)
    return [name for name in spec.compose["services"] if name not in workers]


@contextlib.contextmanager
def _undone_on_failure(host: Host, spec: ReleaseSpec) -> Iterator[None]:
    """Revert the trial when the block fails; the error goes on, with no secret value of the containers in it."""
    try:
        yield
    except HostctlError as error:
        fleet.know_secrets(host, spec)
        host.progress("revert", f"{spec.release} did not start: {error.message}")
        with contextlib.suppress(HostctlError):
            trial.revert(host, host.redactor.text(f"{error.code}: {error.message}"))
        raise


def outcome(host: Host, spec: ReleaseSpec, timer: Timer, *, changed: bool) -> dict[str, Any]:
    """Return the result of a start."""
    state = host.state
    current = state.trial
    ports = host.edge.settings.verify_ports
    compared = fleet.find_spec(host, state.current) if current else None
    return {
        "release": spec.release,
        "phase": current.phase if current else "serving",
        "changed": changed,
        "first": current is not None and state.current is None,
        "warm": current.was_parked if current else bool((state.last_trial or {}).get("warm")),
        "verify": {service.name: ports[index] for index, service in enumerate(spec.web_services)},
        # Fewer when the ports do not suffice for both releases: checks of the candidate come first.
        "verify_current": {
            service.name: ports[index]
            for index, service in enumerate(compared.web_services if compared else (), len(spec.web_services))
            if index < len(ports)
        },
        "deadline_seconds": round(current.deadline - host.clock.monotonic(), 1) if current else None,
        "previous": state.current if current else state.previous,
        "timings": timer.timings,
    }
