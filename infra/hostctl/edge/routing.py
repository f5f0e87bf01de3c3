"""Which containers the edge sends requests of a service to, and in what shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .weights import spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..spec import Readiness, ReleaseSpec, Service

FULL = 100


@dataclass(frozen=True)
class Server:
    """One replica behind the edge."""

    release: str
    index: int
    container: str
    port: int
    weight: int
    is_candidate: bool

    @property
    def name(self) -> str:
        """Return its name in HAProxy: the release, a colon and the replica's number."""
        return f"{self.release}:{self.index}"


@dataclass(frozen=True)
class Backend:
    """A service with the replicas of one release, or of two during a trial; then by the ports and paths of both."""

    service: str
    public_ports: tuple[int, ...]
    path_prefixes: tuple[str, ...]
    repeatable_paths: tuple[str, ...]
    readiness: Readiness | None
    servers: tuple[Server, ...]

    @property
    def candidates(self) -> tuple[Server, ...]:
        """Return the replicas of the candidate."""
        return tuple(server for server in self.servers if server.is_candidate)

    @property
    def currents(self) -> tuple[Server, ...]:
        """Return the replicas of the committed release."""
        return tuple(server for server in self.servers if not server.is_candidate)


@dataclass(frozen=True)
class Routing:
    """All backends; `is_trial` while a candidate is among them, and then the services that each release has.

    `drain_seconds` is the longest that a request to any of them may take to end.
    """

    backends: tuple[Backend, ...]
    is_trial: bool
    drain_seconds: float = 0.0
    candidate_services: tuple[str, ...] = ()
    current_services: tuple[str, ...] = ()


def committed_routing(current: ReleaseSpec | None) -> Routing:
    """Return the routes of a release that has all requests."""
    services = current.web_services if current else ()
    backends = tuple(_backend(service, current, None, None, FULL) for service in services)
    return Routing(backends, is_trial=False, drain_seconds=_longest_drain(services))


def trial_routing(current: ReleaseSpec | None, candidate: ReleaseSpec, weight: int) -> Routing:
    """Return the routes while `candidate` has `weight` percent; a service that only one release has stays with it."""
    old = {service.name: service for service in current.web_services} if current else {}
    new = {service.name: service for service in candidate.web_services}
    merged = [_backend(old.get(name), current, service, candidate, weight) for name, service in new.items()]
    gone = [_backend(service, current, None, None, weight) for name, service in old.items() if name not in new]
    return Routing(
        (*merged, *gone),
        is_trial=True,
        drain_seconds=_longest_drain((*new.values(), *old.values())),
        candidate_services=tuple(new),
        current_services=tuple(old),
    )


def _longest_drain(services: Iterable[Service]) -> float:
    """Return the longest time in seconds that running requests of these services get."""
    return max((service.drain_timeout_seconds for service in services), default=0.0)


def _backend(
    old: Service | None, current: ReleaseSpec | None, new: Service | None, candidate: ReleaseSpec | None, weight: int
) -> Backend:
    """Return one service's backend; where both releases have it, the candidate's routes count."""
    shown = new or old
    assert shown is not None  # noqa: S101 - one of them is given
    share = weight if new else 0
    if new and not old and weight:
        share = FULL
    counts = (old.replicas if old else 0, new.replicas if new else 0)
    old_weight, new_weight = spread(share, *counts)
    servers = [
        *_servers(current, old, old_weight, is_candidate=False),
        *_servers(candidate, new, new_weight, is_candidate=True),
    ]
    routes = [service.routes for service in (new, old) if service]
    same_readiness = old is None or new is None or _probe(old) == _probe(new)
    return Backend(
        service=shown.name,
        public_ports=tuple(dict.fromkeys(route.public_port for route in routes if route.public_port)),
        path_prefixes=tuple(dict.fromkeys(prefix for route in routes for prefix in route.path_prefixes)),
        repeatable_paths=shown.routes.repeatable_paths,
        readiness=shown.readiness if same_readiness else None,
        servers=tuple(servers),
    )


def _probe(service: Service) -> tuple[str, str, str] | None:
    """Return what a service's readiness is judged by."""
    readiness = service.readiness
    return (readiness.path, readiness.field, readiness.equals) if readiness else None


def _servers(spec: ReleaseSpec | None, service: Service | None, weight: int, *, is_candidate: bool) -> list[Server]:
    """Return the replicas of a release's service."""
    if spec is None or service is None:
        return []
    return [
        Server(
            release=spec.release,
            index=index,
            container=container,
            port=service.port,
            weight=weight,
            is_candidate=is_candidate,
        )
        for index, container in enumerate(spec.containers(service), start=1)
    ]
