"""The `lab` commands: the world on this machine, up, down and its status."""

from __future__ import annotations

import json
import sys
import time

import click

from infra.lab.catalogue import RECIPES
from infra.lab.down import down
from infra.lab.engine import ensure_engine
from infra.lab.folder import LabFolder
from infra.lab.images import Images
from infra.lab.status import LabStatus, status
from infra.lab.up import up
from infra.toolchain.progress import Progress

NOT_UP = 3

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


@click.group()
def lab() -> None:
    """Registry, hosts and model endpoint on this machine, disposable."""


@lab.command("up", epilog="Example: acp-release lab up --hosts 2")
@click.option("--hosts", type=int, default=None, help="How many hosts; default: as many as there are, 1 at first.")
@json_option
def up_command(hosts: int | None, *, as_json: bool) -> None:
    """Bring the lab up, or repair it; does nothing when it is up."""
    started = time.monotonic()
    progress = Progress()
    with progress.heartbeat():
        inventory = up(LabFolder.default(), hosts, progress)
    if as_json:
        click.echo(json.dumps(inventory))
        return
    for host in inventory["hosts"]:
        click.echo(f"host      {host['name']}  {host['user']}@{host['address']}:{host['port']}")
    click.echo(f"registry  {inventory['registry']['server']}")
    click.echo(f"model     {inventory['environment']['LLM_ENDPOINT']}")
    click.echo(f"The lab is up ({time.monotonic() - started:.1f} s).")


@lab.command("down", epilog="Example: acp-release lab down --images")
@click.option("--images/--keep-images", default=False, help="Remove the images made for it too; default: keep them.")
@json_option
def down_command(*, images: bool, as_json: bool) -> None:
    """Remove the lab: containers, volumes with their data, network, trust, keys and secrets."""
    progress = Progress()
    with progress.heartbeat():
        left = down(LabFolder.default(), progress, images=images)
    if as_json:
        click.echo(json.dumps({"left_for_root": left}))
        return
    for command in left:
        click.echo(f"Run as root: {command}")
    click.echo("The lab is gone.")


@lab.command("status", epilog="Example: acp-release lab status --json")
@json_option
def status_command(*, as_json: bool) -> None:
    """Say how every part of the lab is; exit status 3 unless all of it is up."""
    found = status(LabFolder.default())
    click.echo(json.dumps(found.to_json()) if as_json else _table(found))
    if not found.up:
        sys.exit(NOT_UP)


@lab.command("images", epilog="Example: acp-release lab images")
@json_option
def images_command(*, as_json: bool) -> None:
    """Make the images of the lab only; needs root once where no public registry is reachable."""
    progress = Progress()
    with progress.heartbeat():
        ensure_engine(progress)
        images = Images(progress)
        made = {name: images.ensure(name) for name in RECIPES}
    click.echo(json.dumps(made) if as_json else "\n".join(made.values()))


def _table(found: LabStatus) -> str:
    """Return the status as lines for a person."""
    if found.number is None:
        return "This checkout has no lab: run `acp-release lab up`."

    def word(*, good: bool) -> str:
        return "up" if good else "down"

    rows = [("registry", word(good=found.registry)), ("model", word(good=found.model))]
    for host in found.hosts:
        detail = f"{word(good=host.up)} (ssh {word(good=host.ssh)}, docker {word(good=host.docker)})"
        rows.append((host.name, f"{detail}  {host.address}"))
    return "\n".join(f"{name:9} {state}" for name, state in rows)
