"""A release: images pinned by digest, the rendered compose file and the configuration, under one id."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.compose import bind_release, render_compose
from infra.domain.naming import project_name, tag_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Service, Settings

HASH_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """One published image: `repository:tag` as it was pushed, and the digest it has."""

    name: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def from_pinned(cls, name: str, tag: str, pinned: str) -> ImageRef:
        """Return the reference behind `repository@sha256:…`."""
        repository, _, digest = pinned.partition("@")
        return cls(name=name, repository=repository, tag=tag, digest=digest)

    @property
    def pinned(self) -> str:
        """Return `repository@sha256:…`, the only form a host ever sees."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is released: `spec` is the document hostctl gets, without any secret value."""

    id: str
    version: str
    images: tuple[ImageRef, ...]
    fingerprints: Mapping[str, str]
    spec: Mapping[str, Any]

    @classmethod
    def from_record(cls, entry: Mapping[str, Any]) -> Release:
        """Return a release as its record entry has it: the same images, compose file and id."""
        versions = entry["summary"]["versions"]
        return cls(
            id=entry["release"],
            version=entry["version"],
            images=tuple(ImageRef.from_pinned(name, versions[name], ref) for name, ref in entry["images"].items()),
            fingerprints=entry["fingerprints"],
            spec=entry["spec"],
        )


def build_release(
    settings: Settings,
    template: Mapping[str, Any],
    images: Mapping[str, ImageRef],
    *,
    version: str,
    fingerprints: Mapping[str, str],
) -> Release:
    """Render and name the release: the same digests, compose and configuration always give the same id."""
    compose = render_compose(settings, template, {name: ref.pinned for name, ref in images.items()})
    services = [_service(name, service) for name, service in settings.services.items()]
    content = {
        "digests": {name: ref.digest for name, ref in sorted(images.items())},
        "compose": compose,
        "services": services,
        "secrets": dict(fingerprints),
    }
    release_id = f"{tag_of(version)}-{content_hash(content)}"
    project = project_name(release_id)
    spec = {
        "release": release_id,
        "stack": settings.stack,
        "project": project,
        "compose": bind_release(compose, release_id=release_id, project=project, version=version),
        "images": sorted(ref.pinned for ref in images.values()),
        "secret_names": sorted(settings.secrets.names),
        "services": services,
    }
    return Release(
        id=release_id, version=version, images=tuple(images.values()), fingerprints=dict(fingerprints), spec=spec
    )


def content_hash(content: object) -> str:
    """Return the first eight hex digits of the SHA-256 of `content` as canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def fingerprint(key: str, name: str, value: str) -> str:
    """Return a keyed hash of a secret: shows that it changed, says nothing of what it is."""
    return hmac.new(key.encode(), f"{name}={value}".encode(), hashlib.sha256).hexdigest()[:16]


def _service(name: str, service: Service) -> dict[str, Any]:
    """Return a service as hostctl's release document has it."""
    document: dict[str, Any] = {
        "name": name,
        "compose_service": service.compose_service,
        "role": service.role,
        "replicas": service.replicas,
        "memory_bytes": int(service.memory_bytes),
        "drain_timeout_seconds": service.drain_timeout_seconds,
    }
    if service.routes is not None:
        document |= {"port": service.port, "routes": service.routes.model_dump(mode="json")}
    # Of a worker only what differs is said: a release that sets nothing is the one that it was before it could.
    readiness = service.readiness.model_dump(mode="json", exclude_defaults=service.role == "worker")
    return document | ({"readiness": readiness} if readiness else {})
