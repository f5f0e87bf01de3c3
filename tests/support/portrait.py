"""A release as it is seen from outside while it serves: what must be the same when it serves again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.domain.naming import project_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.host_view import HostView

LASTING = ("release", "version", "images", "spec", "summary", "fingerprints", "platform", "commit")
"""What the record of a release says of the release itself, not of the run that made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """One release: stack outputs, record, containers with their images, and what each process has as environment."""

    release: str
    outputs: Mapping[str, Any]
    record: Mapping[str, Any]
    compose: Mapping[str, Any]
    containers: Mapping[str, str]
    environments: Mapping[str, str]


def portray(view: HostView, outputs: Mapping[str, Any]) -> Portrait:
    """Return the portrait of the release that serves on a host; environments are only kept as hashes."""
    entry = outputs["release_entry"]
    project = project_name(outputs["release"])
    template = "{{.Names}} {{.Image}}"
    lines = view.docker("ps", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}",
                        "--format", template).splitlines()  # fmt: skip
    containers = dict(line.split(" ", 1) for line in sorted(lines))
    return Portrait(
        release=str(outputs["release"]),
        outputs={name: outputs[name] for name in ("release", "images", "urls")},
        record={name: entry[name] for name in LASTING},
        compose=entry["spec"]["compose"],
        containers=containers,
        environments={name: _environment(view, name) for name in containers},
    )


def _environment(view: HostView, container: str) -> str:
    """Return a hash of the environment as the container's first process sees it."""
    pid = view.docker("inspect", "--format", "{{.State.Pid}}", container).strip()
    text = view.sh(f"tr '\\0' '\\n' < /proc/{pid}/environ | sort")
    assert "SECRET_KEY=" in text, f"{container} has no secret in its environment"
    return hashlib.sha256(text.encode()).hexdigest()


def differing(then: Portrait, now: Portrait) -> list[str]:
    """Return in words in what two portraits of a release differ."""
    return [name for name in Portrait.__slots__ if getattr(then, name) != getattr(now, name)]
