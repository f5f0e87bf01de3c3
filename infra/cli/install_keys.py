"""`acp-release install-keys`: the SSH keys of a stack from the environment, on a runner that has none."""

from __future__ import annotations

import os

import click

from infra.adapters.files import key_path
from infra.adapters.key_files import install_key
from infra.cli.options import emit, json_option, load, stack_option
from infra.errors import SecretMissingError
from infra.settings.keys import key_files


@click.command(epilog="Example: acp-release install-keys --stack staging")
@stack_option
@json_option
def install_keys(stack: str, *, as_json: bool) -> None:
    """Write the stack's SSH keys to the files its settings name, readable by this user alone.

    OpenSSH takes keys from files only. Use it on runners that are thrown away after the job.
    """
    wanted = key_files(load(stack))
    missing = [f"{variable} is not set" for variable in wanted if not os.environ.get(variable)]
    if missing:
        raise SecretMissingError(f"the environment of stack {stack}", missing, mend="export them (README, Secrets)")
    written = [
        name
        for variable, name in wanted.items()
        if install_key(key_path(name), os.environ[variable], variable=variable)
    ]
    emit({"written": written}, as_json=as_json, text=lambda: click.echo("\n".join(written) or "all keys are there"))
