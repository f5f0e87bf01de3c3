"""What a stack file asks for, without a look at the stack: for readers who may not see more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.domain.markdown import fenced

if TYPE_CHECKING:
    from infra.settings.model import Settings


def outline(settings: Settings) -> str:
    """Return images, settings, secret names and resources as Markdown; no address and no value of a secret."""
    images = [f"{name} from {image.dockerfile}" for name, image in settings.images.items()]
    services = [
        f"{name} ({service.role}): {service.replicas} replicas, CPUs {service.cpus:g}, "
        f"memory {service.memory_bytes.human_readable()}"
        for name, service in settings.services.items()
    ]
    parts = {
        "Images": images,
        "Settings": [f"{name}={value}" for name, value in settings.environment.items()],
        "Secrets, by name": [settings.secrets.prefix + name for name in settings.secrets.required],
        f"Services on {len(settings.hosts)} hosts, {settings.rollout.strategy}": services,
    }
    blocks = [f"{title}:\n\n{fenced(chr(10).join(lines) or 'none')}" for title, lines in parts.items()]
    return "\n\n".join([f"### What the stack file of `{settings.stack}` asks for", *blocks])
