"""What a release is made of, as the runner describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .compose_policy import check_compose, new_problems

if TYPE_CHECKING:
    from .fields import Fields

RELEASE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
RELEASE_HINT = "must be 1..63 letters, digits, dots, dashes or underscores"
PROJECT = r"[a-z0-9][a-z0-9_-]{0,62}"
SERVICE = r"[a-z0-9][a-z0-9._-]{0,40}"
STACK = r"[a-z0-9][a-z0-9-]{0,30}"
IMAGE = r"[a-zA-Z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}"
IMAGE_HINT = "must be a reference by digest: name@sha256:<64 hex digits>"
PATH = r"/[^\s\"'\\]*"
ENVIRONMENT_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
READ_BY_TOOLS = re.compile(
    "(COMPOSE_|DOCKER_|GLIBC_|LD_|PYTHON).*"
    "|BASH_ENV|GCONV_PATH|GODEBUG|HOME|IFS|PATH|SSH_ASKPASS|SSH_AUTH_SOCK|TMPDIR|XDG_CONFIG_HOME|XDG_RUNTIME_DIR"
)
"""Names that docker compose, or what loads it, reads from the environment in which it finds the secrets."""
MOST_REPLICAS = 32
MOST_PORT = 65535
PLAIN_TEXT = r"[A-Za-z0-9 ._-]+"
READY_TIMEOUT_SECONDS = 60.0
"""What a release that does not say otherwise gives each container to be ready."""


@dataclass(frozen=True)
class Readiness:
    """How a replica says that it is ready: the JSON body's `field` has the text `equals`, `passes` times in a row.

    A worker is not asked: its health check has to pass within `timeout_seconds`, and the rest is empty or a default.
    """

    path: str
    field: str
    equals: str
    passes: int
    interval_seconds: float
    timeout_seconds: float


@dataclass(frozen=True)
class Routes:
    """Where the edge takes requests for a service from, and which of them may be sent twice."""

    public_port: int | None
    path_prefixes: tuple[str, ...]
    repeatable_paths: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """One service of a release."""

    name: str
    compose_service: str
    role: str
    port: int
    replicas: int
    memory_bytes: int
    readiness: Readiness | None
    routes: Routes
    drain_timeout_seconds: float

    @property
    def is_web(self) -> bool:
        """Return whether the edge sends requests to it."""
        return self.role == "web"

    @property
    def ready_timeout_seconds(self) -> float:
        """Return how long each of its containers gets to be ready."""
        return self.readiness.timeout_seconds if self.readiness else READY_TIMEOUT_SECONDS


@dataclass(frozen=True)
class ReleaseSpec:
    """A release: its containers, where they come from and how they are judged and routed."""

    release: str
    stack: str
    project: str
    compose: dict[str, Any]
    images: tuple[str, ...]
    secret_names: tuple[str, ...]
    services: tuple[Service, ...]

    @property
    def web_services(self) -> tuple[Service, ...]:
        """Return the services behind the edge, in order."""
        return tuple(service for service in self.services if service.is_web)

    @property
    def workers(self) -> tuple[Service, ...]:
        """Return the services that no request is sent to, in order."""
        return tuple(service for service in self.services if not service.is_web)

    @property
    def memory_bytes(self) -> int:
        """Return the memory that all its containers may use."""
        return sum(service.memory_bytes * service.replicas for service in self.services)

    def container(self, service: Service, index: int) -> str:
        """Return the name of a replica's container, counted from 1."""
        return f"{self.project}-{service.compose_service}-{index}"

    def containers(self, service: Service) -> tuple[str, ...]:
        """Return the container names of all replicas of a service."""
        return tuple(self.container(service, index) for index in range(1, service.replicas + 1))

    def service_of(self, compose_service: str) -> Service | None:
        """Return the service that a container label names."""
        return next((service for service in self.services if service.compose_service == compose_service), None)


def read_spec(fields: Fields) -> ReleaseSpec:
    """Read a release spec; problems are collected in `fields`."""
    spec = ReleaseSpec(
        release=fields.text("release", pattern=RELEASE, hint=RELEASE_HINT),
        stack=fields.text("stack", pattern=STACK),
        project=fields.text("project", pattern=PROJECT),
        compose=fields.raw_object("compose"),
        images=fields.texts("images", pattern=IMAGE, hint=IMAGE_HINT),
        secret_names=fields.texts("secret_names", optional=True, pattern=ENVIRONMENT_NAME),
        services=tuple(_service(item) for item in fields.objects("services")),
    )
    fields.close()
    if spec.project in {"acp-edge", "acp-core"}:
        fields.problem("project", f"{spec.project} is taken by the host's own services")
    _check_services(fields, spec)
    check_compose(fields, spec.compose, spec.images, spec.stack)
    return spec


def check_new(fields: Fields, spec: ReleaseSpec) -> None:
    """Record what a release to be made may not have; one that is kept is not asked, for its containers exist.

    That is devices, and secrets that docker compose would take for its own settings.
    """
    for path, text in new_problems(spec.compose):
        fields.problem(f"spec.compose.{path}", text)
    for index, name in enumerate(spec.secret_names):
        if READ_BY_TOOLS.fullmatch(name):
            fields.problem(
                f"spec.secret_names[{index}]", f"{name} is read by docker compose itself: give the secret another name"
            )


def _service(fields: Fields) -> Service:
    """Read one service."""
    role = fields.text("role", pattern="web|worker", hint="must be web or worker")
    is_web = role != "worker"
    readiness = fields.object("readiness", optional=not is_web)
    routes = fields.object("routes", optional=True)
    service = Service(
        name=fields.text("name", pattern=SERVICE),
        compose_service=fields.text("compose_service", pattern=SERVICE),
        role=role,
        port=fields.integer("port", *(() if is_web else (0,)), least=1, most=MOST_PORT),
        replicas=fields.integer("replicas", 1, least=1, most=MOST_REPLICAS),
        memory_bytes=fields.integer("memory_bytes", 0),
        readiness=_readiness(readiness, is_web=is_web) if readiness else None,
        routes=_routes(routes) if routes else Routes(None, (), ()),
        drain_timeout_seconds=fields.number("drain_timeout_seconds", 30.0, most=86400),
    )
    fields.close()
    return service


def _readiness(fields: Fields, *, is_web: bool) -> Readiness:
    """Read how readiness is judged; of a worker nothing is required."""
    unasked = () if is_web else ("",)
    readiness = Readiness(
        path=fields.text("path", *unasked, pattern=PATH),
        field=fields.text("field", *unasked, pattern=r"[A-Za-z0-9_.-]+"),
        equals=fields.text("equals", *unasked, pattern=PLAIN_TEXT),
        passes=fields.integer("passes", 3, least=1, most=100),
        interval_seconds=fields.number("interval_seconds", 0.5, most=60),
        timeout_seconds=fields.number("timeout_seconds", READY_TIMEOUT_SECONDS, most=3600),
    )
    fields.close()
    return readiness


def _routes(fields: Fields) -> Routes:
    """Read where requests come from."""
    has_port = fields.has("public_port")
    port = fields.integer("public_port", None, least=1, most=MOST_PORT)
    routes = Routes(
        public_port=port if has_port else None,
        path_prefixes=fields.texts("path_prefixes", optional=True, pattern=PATH),
        repeatable_paths=fields.texts("repeatable_paths", optional=True, pattern=PATH),
    )
    fields.close()
    return routes


def _check_services(fields: Fields, spec: ReleaseSpec) -> None:
    """Record services that clash with each other or are not in the compose file."""
    if not spec.web_services:
        fields.problem("services", "must have at least one service with role web")
    for kind in ("name", "compose_service"):
        values = [getattr(service, kind) for service in spec.services]
        for value in sorted({value for value in values if values.count(value) > 1}):
            fields.problem("services", f"{kind} {value!r} is there twice")
    ports = [service.routes.public_port for service in spec.web_services if service.routes.public_port]
    for port in sorted({port for port in ports if ports.count(port) > 1}):
        fields.problem("services", f"public_port {port} is there twice")
    defined = spec.compose.get("services")
    defined = defined if isinstance(defined, dict) else {}
    for index, service in enumerate(spec.services):
        if service.compose_service not in defined:
            fields.problem(
                f"services[{index}].compose_service", f"{service.compose_service!r} is not in compose.services"
            )
