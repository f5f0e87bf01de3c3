"""What a report says of a release before anything was measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from infra.adapters.process import redact
from infra.domain.certificate import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.rollout.context import RolloutContext


def base_document(context: RolloutContext) -> dict[str, Any]:
    """Return who, what and when of a release."""
    return {
        "stack": context.settings.stack,
        "release": context.release,
        "version": context.release.rpartition("-")[0],
        "run_id": context.run_id,
        "strategy": context.settings.rollout.strategy,
        "images": image_names(context.spec["images"]),
        "max_memory_percent": context.settings.resources.max_memory_percent,
        "started_at": moment(time.time()),
    }


def image_names(pinned: Iterable[str]) -> dict[str, str]:
    """Return pinned images by the last part of their repository."""
    return {image.partition("@")[0].rpartition("/")[2]: image for image in pinned}


def redacted(value: Any, secrets: Iterable[str]) -> Any:
    """Return JSON with every secret value in its texts replaced."""
    known = tuple(secrets)
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, dict):
        return {key: redacted(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item, known) for item in value]
    return value
