"""`acp-release install-keys`: the SSH keys of a stack from the environment, on a runner that has none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from infra.adapters.files import key_path
from infra.adapters.key_files import install_key
from infra.cli.options import emit, json_option, load, stack_option
from infra.errors import SecretMissingError
from infra.settings.keys import DEPLOY, RELEASE, SETUP, key_files

if TYPE_CHECKING:
    from infra.settings import Settings

KINDS = {"setup": SETUP, "deploy": DEPLOY, "release": RELEASE}


@click.command(epilog="Example: acp-release install-keys --stack staging --key deploy")
@stack_option
@click.option(
    "--key",
    "kinds",
    multiple=True,
    type=click.Choice(tuple(KINDS)),
    help="Only this one; may be repeated. Default: all that an update of the stack needs.",
)
@json_option
def install_keys(stack: str, kinds: tuple[str, ...], *, as_json: bool) -> None:
    """Write the stack's SSH keys to the files its settings name, readable by this user alone.

    OpenSSH takes keys from files only. Use it on runners that are thrown away after the job.
    """
    wanted = _wanted(load(stack), kinds or tuple(KINDS))
    missing = [f"{variable} is not set" for variable in wanted if not os.environ.get(variable)]
    if missing:
        raise SecretMissingError(f"the environment of stack {stack}", missing, mend="export them (README, Secrets)")
    written = [
        name
        for variable, name in wanted.items()
        if install_key(key_path(name), os.environ[variable], variable=variable)
    ]
    emit({"written": written}, as_json=as_json, text=lambda: click.echo("\n".join(written) or "all keys are there"))


def _wanted(settings: Settings, kinds: tuple[str, ...]) -> dict[str, str]:
    """Return the file of each key of these kinds that the stack has, by the variable that has it."""
    names = {settings.secrets.prefix + KINDS[kind] for kind in kinds}
    return {variable: name for variable, name in key_files(settings).items() if variable in names}
