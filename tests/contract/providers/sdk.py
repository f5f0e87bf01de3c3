"""The official SDKs' names, imported past the warning that one of pulumi-command's other resources is deprecated."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from pulumi_command.remote import Command, ConnectionArgs, CopyToRemote, Logging
    from pulumi_docker import (
        Network,
        NetworkIpamConfigArgs,
        NetworkLabelArgs,
        Provider,
        ProviderRegistryAuthArgs,
        Volume,
        VolumeLabelArgs,
        get_registry_image,
    )

__all__ = [
    "Command",
    "ConnectionArgs",
    "CopyToRemote",
    "Logging",
    "Network",
    "NetworkIpamConfigArgs",
    "NetworkLabelArgs",
    "Provider",
    "ProviderRegistryAuthArgs",
    "Volume",
    "VolumeLabelArgs",
    "get_registry_image",
]
