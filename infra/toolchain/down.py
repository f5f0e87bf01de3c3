"""Removing what set-up made: in the checkout, and on request in the cache that all checkouts share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra.toolchain import prerequisites
from infra.toolchain.engine import Engine

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.progress import Progress

MADE = (
    ".venv",
    ".acp",
    "acp_release.egg-info",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    "build",
    "dist",
)


def run(places: Places, progress: Progress, *, cache: bool) -> None:
    """Remove what is in the checkout, stop an engine of ours that nothing uses, and with `cache` remove the rest."""
    Engine(cache=places.cache).stop(progress)
    for name in MADE:
        made = places.checkout / name
        if made.exists():
            progress.say(f"removing {made}")
            shutil.rmtree(made)
    remove_empty_backend(places, progress)
    for compiled in places.checkout.glob("*/**/__pycache__"):
        shutil.rmtree(compiled, ignore_errors=True)
    if (places.checkout / "reports").exists():
        progress.say("kept: reports/ (the evidence of what was released)")
    if not cache:
        progress.say(f"kept for other checkouts: {places.cache} (`python3 -m infra.toolchain down --cache` removes it)")
        return
    for plugin in prerequisites.plugins(places):
        plugin.remove()
    for shared in (places.tools, places.logs):
        if shared.exists():
            progress.say(f"removing {shared}")
            shutil.rmtree(shared)


def remove_empty_backend(places: Places, progress: Progress) -> None:
    """Remove the folder with Pulumi's state, unless any stack has its state there."""
    backend = places.checkout / ".pulumi"
    if not backend.exists():
        return
    if any(path.is_file() for path in (backend / "stacks").rglob("*.json")):
        progress.say(f"kept: {backend} (the state of your other stacks)")
        return
    progress.say(f"removing {backend}")
    shutil.rmtree(backend)
