"""The compose rules on what a stack will run, before anything is declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.compose import render_compose, render_core
from infra.domain.compose_policy import compose_problems
from infra.domain.naming import data_network, front_network
from infra.errors import GateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings

UNKNOWN_DIGEST = f"example.test/image@sha256:{'0' * 64}"
"""Stands for images whose digest is not known yet: the renderer takes nothing but digests."""


def check_compose(settings: Settings, app: Mapping[str, Any], core: Mapping[str, Any] | None) -> None:
    """Raise `GateError` with every breach in the compose files that these templates render to."""
    front, data = front_network(settings.stack), data_network(settings.stack)
    rendered = render_compose(settings, app, dict.fromkeys(settings.images, UNKNOWN_DIGEST))
    drains = {service.compose_service: service.drain_timeout_seconds for service in settings.services.values()}
    problems = [
        f"{settings.compose_file}: {problem}"
        for problem in compose_problems(rendered, drain_seconds=drains, networks=frozenset({front, data}))
    ]
    if settings.core and core:
        rendered = render_core(settings.stack, core, dict.fromkeys(settings.core.images, UNKNOWN_DIGEST), settings.core)
        problems += [
            f"{settings.core.compose_file}: {problem}"
            for problem in compose_problems(rendered, drain_seconds={}, networks=frozenset({data}))
        ]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise GateError(
            f"{len(problems)} breaches of the compose rules on stack {settings.stack}:\n{lines}",
            mend="docs/gate.md has the rules; nothing was changed",
        )
