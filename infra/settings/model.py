"""What a stack file may say: one pydantic model, which is also the source of the key reference in the docs."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import ByteSize, Field, field_validator, model_validator

from infra.settings.base import ComposeName, EnvironmentName, Model, Name, Port, Seconds, SecretName, Tag
from infra.settings.certificate import CertificateRules
from infra.settings.checks import Checks
from infra.settings.gate import Gate
from infra.settings.load_profiles import Load
from infra.settings.notifications import Notifications
from infra.settings.resources import ResourceLimits
from infra.settings.rollout import Rollout

SECRET_NAMES = (
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "JWT_SECRET_KEY",
    "ENCRYPTION_KEY",
    "LLM_ENDPOINT",
    "EMBEDDING_ENDPOINT",
    "OPENAI_API_KEY",
)
"""The secrets of Analyst Copilot, by the names its containers see."""


class Host(Model):
    """A host that serves the stack."""

    name: Name = Field(description="Name of the host in reports and resource names.")
    address: str = Field(min_length=1, description="Address by which the runner reaches the host.")
    port: Port = Field(default=22, description="Port of sshd.")
    user: str = Field(default="deploy", pattern=r"^[a-z_][a-z0-9_-]*$", description="User of both SSH keys.")
    host_key: str = Field(
        pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$",
        description="Public host key the connection must show.",
    )
    ports: dict[Port, Port] = Field(
        default_factory=dict, description="Where the runner reaches a public port, when it is not the same number."
    )

    def reach(self, port: int) -> str:
        """Return `address:port` as the runner reaches public `port`."""
        return f"{self.address}:{self.ports.get(port, port)}"


class Ssh(Model):
    """The two keys: setup for rare changes of a host, deploy for every release."""

    setup_key_file: str = Field(description="Private key that installs hostctl, edge and core; `~` is expanded.")
    deploy_key_file: str = Field(description="Private key of releases, bound to hostctl on the host.")


class Registry(Model):
    """The registry that holds the images."""

    server: str = Field(pattern=r"^[A-Za-z0-9.-]+(:\d+)?$", description="Host and port, without a scheme.")
    namespace: str = Field(default="acp", description="Path before the image name.")
    username: str = Field(default="acp", description="Login name; the password is the secret `REGISTRY_PASSWORD`.")
    ca_file: str | None = Field(default=None, description="CA of the registry when the system does not trust it.")

    def repository(self, image: str) -> str:
        """Return `server/namespace/image`."""
        return f"{self.server}/{self.namespace}/{image}"


class Image(Model):
    """How one image is built."""

    context: str = Field(description="Build context, relative to the project.")
    dockerfile: str = Field(description="Dockerfile, relative to the project.")
    sources: tuple[str, ...] = Field(
        default=(), description="Paths whose last commit is the image's version; default: the context."
    )
    build_args: dict[str, str] = Field(default_factory=dict, description="Build arguments; never a secret.")
    target: str | None = Field(default=None, min_length=1, description="Stage of the Dockerfile; none: its last one.")


class Readiness(Model):
    """When a container counts as ready: the body is judged, not only the status code.

    A worker is not asked: its health check says it, within `timeout_seconds`.
    """

    path: str = Field(default="/health/ready", pattern=r"^/", description="Path asked on every container.")
    field: str = Field(default="status", description="Field of the JSON answer.")
    equals: str = Field(default="ready", description="Value the field must have.")
    passes: int = Field(default=3, ge=1, le=100, description="Consecutive passing answers required.")
    interval_seconds: Seconds = Field(default=0.5, description="Time between two questions.")
    timeout_seconds: Seconds = Field(
        default=60, le=600, description="Time for a container's answers, and its health check, to pass; at most 600."
    )


class Health(Model):
    """What a healthy service answers; asked of the candidate before traffic and of the public address after."""

    path: str = Field(default="/health", pattern=r"^/", description="Path asked.")
    field: str = Field(default="status", description="Field of the JSON answer.")
    equals: str = Field(default="healthy", description="Value the field must have.")


class Routes(Model):
    """Which requests the edge sends to a service."""

    public_port: Port = Field(description="Port of the edge that serves this service alone.")
    path_prefixes: tuple[str, ...] = Field(default=(), description="Prefixes it has on the shared HTTP(S) port.")
    repeatable_paths: tuple[str, ...] = Field(
        default=(),
        description="POST paths that are safe to repeat, up to 15 KiB each; GET, HEAD and OPTIONS always are.",
    )


class Service(Model):
    """One service of a release: a set of equal containers."""

    image: str = Field(description="Key of `images`.")
    role: Literal["web", "worker"] = Field(
        default="web", description="`web` gets traffic, `worker` takes from a queue."
    )
    compose_service: ComposeName = Field(description="Name in the compose file.")
    port: Port | None = Field(default=None, description="Port inside the container; required for `web`.")
    replicas: int = Field(default=1, ge=1, le=16, description="Containers per host.")
    memory_bytes: ByteSize = Field(default=ByteSize(512 * 1024**2), description="Memory limit of one container.")
    cpus: float = Field(default=1.0, gt=0, description="CPU limit of one container.")
    drain_timeout_seconds: Seconds = Field(default=30, description="Time running work gets to finish.")
    readiness: Readiness = Field(
        default_factory=Readiness, description="When a container is ready; of a `worker` `timeout_seconds` alone."
    )
    health: Health = Field(default_factory=Health, description="What a healthy service answers (`web`).")
    routes: Routes | None = Field(default=None, description="What the edge sends here; required for `web`.")

    @model_validator(mode="after")
    def _web_is_reachable(self) -> Self:
        if self.role == "web" and (self.port is None or self.routes is None):
            msg = "a web service needs port and routes"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _worker_is_not_asked(self) -> Self:
        unheard = sorted(self.readiness.model_dump(exclude_defaults=True).keys() - {"timeout_seconds"})
        if self.role == "worker" and unheard:
            keys = ", ".join(f"readiness.{name}" for name in unheard)
            msg = f"{keys}: a worker is not asked; leave out all but readiness.timeout_seconds, its health check counts"
            raise ValueError(msg)
        return self


class Secrets(Model):
    """Where secret values come from: the runner's environment, by name."""

    prefix: str = Field(default="", pattern=r"^([A-Z][A-Z0-9]*_)?$", description="Put before each name, as `STAGING_`.")
    names: tuple[SecretName, ...] = Field(default=SECRET_NAMES, description="Secrets the containers get.")
    shared: tuple[EnvironmentName, ...] = Field(
        default=("OPENAI_API_KEY",), description="Names read without the prefix as well."
    )
    lab_folder: str | None = Field(
        default=None,
        description="Disposable stacks only: secrets missing in the environment are derived from its seed.",
    )

    @property
    def required(self) -> tuple[str, ...]:
        """Every name that must have a value: the containers' and the registry's."""
        return (*self.names, "REGISTRY_PASSWORD")


class Tls(Model):
    """TLS at the edge."""

    certificate_file: str = Field(pattern=r"^/", description="PEM with chain and key, a path on the host.")
    server_name: str = Field(min_length=1, description="Name the certificate is for; checks ask each host under it.")
    ca_file: str | None = Field(
        default=None,
        description="CA that signed it, relative to the project, when the runner's system does not trust it.",
    )
    hsts_seconds: int = Field(default=31_536_000, ge=0, description="Max-age of Strict-Transport-Security.")
    redirect: bool = Field(default=True, description="Answer HTTP with a redirect to HTTPS.")


class Edge(Model):
    """The HAProxy in front of the releases."""

    image: str = Field(
        default="library/haproxy:3.0", description="Pinned `repository@sha256:…`, or a tag in the registry."
    )
    bind_address: str = Field(default="0.0.0.0", description="Interface of the host that serves the public.")  # noqa: S104
    http_port: Port = Field(default=80, description="Shared HTTP port.")
    https_port: Port = Field(default=443, description="Shared HTTPS port; used with `tls`.")
    verify_base_port: Port = Field(
        default=18000, description="First loopback port of the routes to candidate alone and current alone."
    )
    tls: Tls | None = Field(default=None, description="TLS; without it only HTTP is served.")


class Core(Model):
    """Data services on the host, for stacks without managed ones."""

    compose_file: str = Field(default="compose/core.yaml", description="Compose file, relative to the project.")
    images: dict[str, str] = Field(
        default={"postgres": "library/postgres:17", "redis": "library/redis:8.0"},
        description="Compose service to image: pinned, or a tag in the registry.",
    )
    volumes: tuple[Name, ...] = Field(default=("postgres", "redis"), description="Protected volumes to make.")


class Settings(Model):
    """All settings of one stack."""

    stack: Name = Field(description="Name of the stack; taken from the file's name.")
    version: Tag | None = Field(default=None, description="Version to release; default from `git describe`.")
    image_tag: Tag | None = Field(default=None, description="Release this published tag instead of building.")
    rollback_to: str | None = Field(
        default=None, description="Release this recorded release again; `acp-release rollback` sets it for one update."
    )
    skip_hosts: tuple[Name, ...] = Field(
        default=(),
        description="Hosts that this update leaves alone; `acp-release rollback` sets it for one update, see "
        "`rollout.unreachable_host`.",
    )
    inventory: str | None = Field(default=None, description="JSON file with hosts, ssh, registry and environment.")
    compose_file: str = Field(
        default="compose/app.yaml", description="Compose file of the app, relative to the project."
    )
    hosts: tuple[Host, ...] = Field(min_length=1, description="Hosts of the stack, released in lockstep.")
    ssh: Ssh = Field(description="SSH keys.")
    registry: Registry = Field(description="Image registry.")
    images: dict[Name, Image] = Field(min_length=1, description="Images to build, by name.")
    services: dict[Name, Service] = Field(min_length=1, description="Services of a release, by name.")
    environment: dict[EnvironmentName, str] = Field(default_factory=dict, description="Plain settings of the app.")
    secrets: Secrets = Field(default_factory=Secrets, description="Secrets of the app.")
    edge: Edge = Field(default_factory=Edge, description="The HAProxy in front.")
    core: Core | None = Field(default=None, description="Postgres and Redis on the host; leave out for managed ones.")
    rollout: Rollout = Field(default_factory=Rollout, description="How a release takes over.")
    checks: Checks = Field(default_factory=Checks, description="What is verified.")
    load: Load = Field(default_factory=Load, description="Load tests, and the comparison with the previous release.")
    certificate: CertificateRules = Field(
        default_factory=CertificateRules, description="What a release may cost its users."
    )
    resources: ResourceLimits = Field(
        default_factory=ResourceLimits, description="What the containers of a candidate may use."
    )
    gate: Gate = Field(default_factory=Gate, description="What an image must show before any host sees it.")
    notifications: Notifications = Field(default_factory=Notifications, description="Who is told of a release.")

    @field_validator("version", "image_tag")
    @classmethod
    def _no_latest(cls, tag: str | None) -> str | None:
        if tag is not None and re.fullmatch("latest", tag, re.IGNORECASE):
            msg = "`latest` moves; name a version"
            raise ValueError(msg)
        return tag

    @model_validator(mode="after")
    def _skips_for_rollbacks_only(self) -> Self:
        names = {host.name for host in self.hosts}
        if not self.skip_hosts:
            return self
        if not self.rollback_to or self.rollout.unreachable_host != "skip":
            msg = "skip_hosts: only a rollback of a stack with `rollout.unreachable_host: skip` may leave hosts alone"
            raise ValueError(msg)
        if unknown := [name for name in self.skip_hosts if name not in names]:
            msg = f"skip_hosts: {', '.join(unknown)} is no host of the stack"
            raise ValueError(msg)
        if names <= set(self.skip_hosts):
            msg = "skip_hosts: names every host of the stack"
            raise ValueError(msg)
        return self

    def without_skipped(self) -> Settings:
        """Return the settings with the hosts that this update is about."""
        kept = tuple(host for host in self.hosts if host.name not in self.skip_hosts)
        return self.model_copy(update={"hosts": kept, "skip_hosts": ()})

    def of_release(self) -> dict[str, Any]:
        """Return what describes the release itself, as JSON: its services, and how the checks ask them."""
        asked = {"ingest_service", "agents_service", "smoke"}
        return self.model_dump(mode="json", include={"services": True, "checks": asked})
