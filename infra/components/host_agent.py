"""hostctl, the edge and the data services of a host; they change only when their own inputs change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_command import remote

from infra.components.connection import connection, hostctl_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.settings.model import Host

HOST_AGENT = "acp:hosts:HostAgent"
"""The type of a host's agent, as the state names it."""

AGENT_SUFFIX = "-agent"
"""What the name of a host's agent ends with, behind the host's."""

SET_UP = "set_up"
"""The output of a host's agent that has what the host was set up with (`infra/domain/set_up.py`), as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAgentArgs:
    """What is installed on one host."""

    host: Host
    setup_key: pulumi.Input[str]
    deploy_public_key: str
    zipapp: Path
    hostctl_version: str
    registry_login: pulumi.Input[Mapping[str, str]]
    edge: pulumi.Input[Mapping[str, Any]]
    core: pulumi.Input[Mapping[str, Any] | None]
    core_secrets: pulumi.Input[Mapping[str, str]]
    permit_ports: Sequence[int]
    signers: Sequence[str]
    set_up: pulumi.Input[str]
    """What is kept as an output once the host has it, to say what a later update changes."""


class HostAgent(pulumi.ComponentResource):
    """The part of a host that outlives releases: an agent bound to the deploy key, HAProxy, and data services."""

    def __init__(self, name: str, args: HostAgentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the installation in order: agent, edge, core."""
        super().__init__(HOST_AGENT, name, None, opts)
        _uninstaller(name, args, pulumi.ResourceOptions(parent=self))
        remote_path = f".acp-hostctl-{args.hostctl_version}.pyz"
        copy = remote.CopyToRemote(
            f"{name}-hostctl-file",
            connection=connection(args.host, args.setup_key),
            source=pulumi.FileAsset(str(args.zipapp)),
            remote_path=remote_path,
            opts=pulumi.ResourceOptions(parent=self),
        )
        install = hostctl_command(
            f"{name}-hostctl",
            host=args.host,
            private_key=args.setup_key,
            command=f"python3 {remote_path} install",
            request=json.dumps(
                {
                    "command": "install",
                    "deploy_keys": [args.deploy_public_key],
                    "signers": list(args.signers),
                    "permit_ports": list(args.permit_ports),
                }
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[copy]),
        )
        edge = hostctl_command(
            f"{name}-edge",
            host=args.host,
            private_key=args.setup_key,
            command="acp/bin/hostctl edge",
            request=_request("edge", args.edge, registry=args.registry_login),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[install]),
        )
        made = [edge]
        if args.core is not None:
            core = hostctl_command(
                f"{name}-core",
                host=args.host,
                private_key=args.setup_key,
                command="acp/bin/hostctl core",
                request=_request("core", args.core, secrets=args.core_secrets, registry=args.registry_login),
                # One call at a time changes a host: the second would be refused.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[edge]),
            )
            made.append(core)
        self.register_outputs(
            {
                "hostctl": args.hostctl_version,
                SET_UP: pulumi.Output.all(args.set_up, *(part.id for part in made)).apply(lambda known: known[0]),
            }
        )


def _uninstaller(name: str, args: HostAgentArgs, opts: pulumi.ResourceOptions) -> remote.Command:
    """Return the resource that empties the host when the stack is destroyed; no release ever replaces it.

    Docker cannot remove a network that containers are on, so this goes before the networks; volumes stay.
    """
    return remote.Command(
        f"{name}-uninstall",
        connection=connection(args.host, args.setup_key),
        create="true",
        delete="acp/bin/hostctl uninstall </dev/null",
        logging=remote.Logging.NONE,
        add_previous_output_in_env=False,
        opts=opts,
    )


def _request(command: str, body: pulumi.Input[Any], **parts: pulumi.Input[Any]) -> pulumi.Output[str]:
    """Return a hostctl request as JSON text once all its parts are known."""
    return pulumi.Output.all(body=body, **parts).apply(
        lambda known: json.dumps({"command": command, **known.pop("body"), **known}, sort_keys=True)
    )
