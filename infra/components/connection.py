"""How pulumi-command reaches a host: a pinned host key and one of the two SSH keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
from pulumi_command import remote

if TYPE_CHECKING:
    from infra.settings.model import Host

DIAL_ATTEMPTS = 3
DIAL_TIMEOUT_SECONDS = 10
COMMAND_TIMEOUT = "30m"
"""The longest a command on a host takes: it may pull images. A host that vanished is not waited for any longer."""


def connection(host: Host, private_key: pulumi.Input[str]) -> remote.ConnectionArgs:
    """Return the connection to `host`; the key is a secret in the state."""
    return remote.ConnectionArgs(
        host=host.address,
        port=host.port,
        user=host.user,
        private_key=pulumi.Output.secret(private_key),
        host_key=" ".join(host.host_key.split()[:2]),
        dial_error_limit=DIAL_ATTEMPTS,
        per_dial_timeout=DIAL_TIMEOUT_SECONDS,
    )


def hostctl_command(
    name: str,
    *,
    host: Host,
    private_key: pulumi.Input[str],
    command: pulumi.Input[str],
    request: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> remote.Command:
    """Return a remote command that sends `request` to hostctl on stdin; `command` is what the host's log shows."""
    return remote.Command(
        name,
        connection=connection(host, private_key),
        create=command,
        stdin=pulumi.Output.secret(request),
        logging=remote.Logging.NONE,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                additional_secret_outputs=["stdin"],
                custom_timeouts=pulumi.CustomTimeouts(create=COMMAND_TIMEOUT, update=COMMAND_TIMEOUT),
            ),
        ),
    )
