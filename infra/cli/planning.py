"""Making a plan: the same way for the preview that is approved and for the look before it is applied."""

from __future__ import annotations

import os

from infra.adapters.git import checkout_commit
from infra.adapters.pulumi_preview import run_preview, stack_head
from infra.cli.options import load_wanted
from infra.domain.plan import Plan
from infra.paths import PROJECT_ROOT
from infra.settings.load import OVERRIDES


def make_plan(stack: str) -> Plan:
    """Return what an update of the stack would do now, for what the environment asks (`ACP_IMAGE_TAG`, …)."""
    load_wanted(stack)
    source = {key: os.environ[name] for name, key in OVERRIDES.items() if os.environ.get(name)}
    head = stack_head(stack)
    preview = run_preview(stack)
    return Plan(
        stack=stack,
        commit=checkout_commit(PROJECT_ROOT),
        source=source,
        # Before the first release every run draws a key for fingerprints of its own, which the id depends on.
        release=preview.release if head["release"] else "",
        images=preview.images,
        head=head,
        changes=preview.changes,
        steps=preview.steps,
    )
