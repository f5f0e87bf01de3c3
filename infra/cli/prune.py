"""`acp-release prune`: remove from the registry what no stack can go back to any more."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from infra.adapters.pulumi_cli import stack_names, stack_outputs
from infra.adapters.registry_api import RegistryApi
from infra.cli.options import console, emit, json_option, load, stack_option
from infra.domain.registry_retention import Spare, spare_digests
from infra.paths import PROJECT_ROOT
from infra.settings.secrets import REGISTRY_PASSWORD, read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infra.settings import Settings

SIGNATURE_SUFFIXES = ("", ".sig", ".att", ".sbom")


@click.command(epilog="Example: acp-release prune --stack production --dry-run")
@stack_option
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@json_option
def prune(stack: str, *, dry_run: bool, as_json: bool) -> None:
    """Remove images from the stack's registry that were released once and that no release kept by any stack uses.

    Every stack of this project counts: its current and previous release, `rollout.keep` more, and the pinned ones.
    Hosts prune themselves at every release. What no stack ever recorded is left alone.
    """
    settings = load(stack)
    password = read_secrets(settings, os.environ, root=PROJECT_ROOT, names=(REGISTRY_PASSWORD,))[REGISTRY_PASSWORD]
    with RegistryApi.open(settings.registry, password) as api:
        spare = find_spare(settings, api)
        if not dry_run:
            remove(spare, api, console(stderr=True).print)
    rows = [asdict(item) for item in spare]
    document = {"removed": [] if dry_run else rows, "spare": rows}
    emit(document, as_json=as_json, text=lambda: _print(spare, dry_run=dry_run))


def find_spare(settings: Settings, api: RegistryApi) -> list[Spare]:
    """Return the digests in the stack's registry that nobody needs."""
    names = dict.fromkeys([settings.stack, *stack_names()])  # a backend without this stack is another one
    histories = {name: stack_outputs(name).get("history") or [] for name in names}
    rules = [load(name).rollout for name in histories]
    found = spare_digests(
        histories,
        keep=max((rule.keep for rule in rules), default=settings.rollout.keep),
        pinned={release for rule in rules for release in rule.pinned},
    )
    server = settings.registry.server
    return [item for item in found if item.server == server and api.has(item.name, item.digest)]


def remove(spare: Sequence[Spare], api: RegistryApi, say: Callable[[str], None]) -> None:
    """Remove digests with their signatures and statements."""
    for item in spare:
        for suffix in SIGNATURE_SUFFIXES:
            digest = item.digest if not suffix else api.digest(item.name, item.digest.replace(":", "-") + suffix)
            if digest:
                api.delete(item.name, digest)
        say(f"removed {item.repository}@{item.digest[:19]}: {item.stack} does not keep {item.release} any more")


def _print(spare: Sequence[Spare], *, dry_run: bool) -> None:
    screen = console()
    for item in spare if dry_run else ():
        screen.print(
            f"would go: {item.repository}@{item.digest} ({item.release} of {item.stack} was the last to use it)"
        )
    if not spare:
        screen.print("nothing to remove: every recorded image is of a release that some stack keeps")
