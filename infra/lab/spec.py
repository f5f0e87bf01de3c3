"""What a container of the lab is, and the docker arguments that make it; pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping  # noqa: TC003 - dataclass fields
from dataclasses import asdict, dataclass, field

LABEL_LAB = "acp.lab.identity"
LABEL_FOLDER = "acp.lab.folder"
LABEL_SPEC = "acp.lab.spec"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """One container; two equal fingerprints mean that nothing has to change.

    `environment` values are handed over in the environment of the docker client, never in its arguments.
    `mounts` are `source:target[:options]`, `published` is `address:port:container port`, `content` is a digest of
    the files the container reads at its start.
    """

    name: str
    image: str
    network: str
    address: str
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    content: str = ""

    @property
    def fingerprint(self) -> str:
        """Digest of everything above; says nothing about the values of the environment."""
        text = json.dumps({**asdict(self), "environment": dict(self.environment)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def run_arguments(spec: ContainerSpec, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return the arguments of `docker` that start `spec` for good."""
    arguments = ["run", "--detach", "--name", spec.name, "--hostname", spec.name, "--pull", "never"]
    arguments += ["--network", spec.network, "--ip", spec.address, "--restart", "unless-stopped"]
    for key, value in {**labels, LABEL_SPEC: spec.fingerprint}.items():
        arguments += ["--label", f"{key}={value}"]
    for name in sorted(spec.environment):
        arguments += ["--env", name]
    for mount in spec.mounts:
        arguments += ["--volume", mount]
    for published in spec.published:
        arguments += ["--publish", published]
    return (*arguments, *spec.flags, spec.image, *spec.command)


def content_digest(parts: Mapping[str, str]) -> str:
    """Return a digest of named texts, for `ContainerSpec.content`."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()[:16]
