"""The inventory: what the lab tells the program about its hosts, registry and endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.lab import hosts, registry
from infra.lab.plan import PUBLIC_PORTS, PUBLISHED_PORTS, SSH_PORT, AddressMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan


def host_entry(plan: AddressPlan, index: int, host_key: str) -> dict[str, Any]:
    """Return the inventory's entry of host `index`."""
    entry: dict[str, Any] = {
        "name": plan.host_name(index),
        "address": plan.host_address(index),
        "port": plan.host_port(index, SSH_PORT),
        "user": hosts.USER,
        "host_key": host_key,
    }
    if plan.mode is AddressMode.PORTS:
        entry["ports"] = {str(port): plan.host_port(index, port) for port in PUBLISHED_PORTS}
    return entry


def make_inventory(folder: LabFolder, plan: AddressPlan, host_keys: Mapping[int, str]) -> dict[str, Any]:
    """Return the inventory of a lab whose hosts have the public keys `host_keys` (by index)."""
    return {
        "hosts": [host_entry(plan, index, key) for index, key in sorted(host_keys.items())],
        "public_ports": list(PUBLIC_PORTS),
        "registry": {
            "server": plan.registry_server,
            "username": registry.USERNAME,
            "ca_file": folder.shown(folder.ca_file),
        },
        "ssh": {
            "setup_key_file": folder.shown(folder.keys / "setup"),
            "deploy_key_file": folder.shown(folder.keys / "deploy"),
        },
        "environment": {"LLM_ENDPOINT": plan.model_url, "EMBEDDING_ENDPOINT": plan.model_url},
    }
