"""Making a plan: the same way for the preview that is approved and for the look before it is applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from infra.adapters.git import checkout_commit
from infra.adapters.pulumi_preview import run_preview, stack_head
from infra.adapters.source_state import source_state
from infra.cli.options import load_wanted
from infra.domain.plan import Plan
from infra.paths import PROJECT_ROOT
from infra.settings.load import OVERRIDES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings


def make_plan(stack: str, environ: Mapping[str, str]) -> Plan:
    """Return what an update of the stack would do now, for what the environment asks (`ACP_IMAGE_TAG`, …)."""
    settings = load_wanted(stack, environ)
    source = {key: environ[name] for name, key in OVERRIDES.items() if environ.get(name)}
    click.echo(f"reading the history of {stack}", err=True)
    head = stack_head(stack)
    click.echo(f"previewing {stack}; nothing is changed", err=True)
    preview = run_preview(stack, environ)
    return Plan(
        stack=stack,
        commit=checkout_commit(PROJECT_ROOT),
        source=source,
        built_from=_built_from(settings),
        # Before the first release every run draws a key for fingerprints of its own, which the id depends on.
        release=preview.release if head["release"] else "",
        images=preview.images,
        head=head,
        changes=preview.changes,
        steps=preview.steps,
    )


def _built_from(settings: Settings) -> dict[str, str]:
    """Return the state of the sources of each image that the update would build."""
    if settings.image_tag or settings.rollback_to:
        return {}
    return {
        name: source_state(PROJECT_ROOT, image.sources or (image.context, image.dockerfile))
        for name, image in settings.images.items()
    }
