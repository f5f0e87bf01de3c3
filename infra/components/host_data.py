"""Networks and protected volumes of a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker

from infra.adapters.ssh import ssh_options
from infra.domain.naming import data_network, data_volume, front_network

if TYPE_CHECKING:
    from infra.settings.model import Host

VOLUME_PROPERTIES = ["cluster", "driver", "driverOpts", "labels"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDataArgs:
    """What a host keeps between releases."""

    stack: str
    host: Host
    setup_key_file: str
    volumes: tuple[str, ...]


class HostData(pulumi.ComponentResource):
    """Two networks and the data volumes, made through Docker over SSH; the compose files only refer to them."""

    def __init__(self, name: str, args: HostDataArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare them; nothing here changes with a release, so a release never touches Docker this way."""
        super().__init__("acp:hosts:HostData", name, None, opts)
        host = args.host
        provider = docker.Provider(
            f"{name}-docker",
            host=f"ssh://{host.user}@{host.address}:{host.port}",
            ssh_opts=ssh_options(host, args.setup_key_file),
            opts=pulumi.ResourceOptions(parent=self),
        )
        options = pulumi.ResourceOptions(parent=self, provider=provider)
        front = docker.Network(f"{name}-front", name=front_network(args.stack), driver="bridge", opts=options)
        data = docker.Network(
            f"{name}-data", name=data_network(args.stack), driver="bridge", internal=True, opts=options
        )
        volumes = [
            docker.Volume(
                f"{name}-{volume}",
                name=data_volume(args.stack, volume),
                # The provider replaces a volume, data and all, for a changed label.
                opts=pulumi.ResourceOptions.merge(
                    options, pulumi.ResourceOptions(protect=True, ignore_changes=VOLUME_PROPERTIES)
                ),
            )
            for volume in args.volumes
        ]
        self.register_outputs({"networks": [front.name, data.name], "volumes": [v.name for v in volumes]})
