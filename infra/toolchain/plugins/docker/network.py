"""`docker:index/network:Network`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from infra.toolchain.plugins.docker.comparison import labels_to_map, map_to_labels
from infra.toolchain.plugins.docker.engine import NOT_FOUND, EngineError
from infra.toolchain.plugins.docker.kind import Kind
from infra.toolchain.plugins.docker.removal import removed_from, wait_removed

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.plugins.docker.engine import Engine

STILL_USED = "has active endpoints"
RANGE_KEYS = {"subnet": "Subnet", "ipRange": "IPRange", "gateway": "Gateway", "auxAddress": "AuxiliaryAddresses"}


class Network(Kind):
    """A network; any change replaces it."""

    inputs = frozenset(
        {
            "attachable", "driver", "ingress", "internal", "ipamConfigs", "ipamDriver", "ipamOptions", "ipv6", "labels",
            "name", "options",
        }
    )  # fmt: skip
    computed = frozenset({"driver", "internal", "ipamConfigs", "ipamOptions", "options", "scope"})
    defaults: ClassVar[dict[str, str]] = {"ipamDriver": "default"}

    def create(self, engine: Engine, inputs: dict[str, Any]) -> str:
        """Make the network; one of that name must not exist."""
        return str(engine.request("POST", "/networks/create", create_body(inputs))["Id"])

    def read(self, engine: Engine, object_id: str) -> dict[str, Any] | None:
        """Return the network's outputs."""
        try:
            return outputs(engine.request("GET", f"/networks/{quote(object_id)}"))
        except EngineError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def remove(self, engine: Engine, object_id: str, pause: Callable[[float], bool]) -> None:
        """Remove the network once no container uses it."""
        path = f"/networks/{quote(object_id)}"
        wait_removed(lambda: removed_from(engine, path, while_used=STILL_USED), in_use_state="pending", pause=pause)


def create_body(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the engine's request for a new network."""
    ranges = [
        {name: config[key] for key, name in RANGE_KEYS.items() if config.get(key)}
        for config in inputs.get("ipamConfigs", [])
    ]
    ipam = {"Driver": inputs.get("ipamDriver"), "Config": ranges, "Options": inputs.get("ipamOptions")}
    body = {
        "Name": inputs["name"],
        # Engines before 25 make a second network of the same name unless asked.
        "CheckDuplicate": True,
        "Driver": inputs.get("driver"),
        "Internal": inputs.get("internal"),
        "Attachable": inputs.get("attachable"),
        "Ingress": inputs.get("ingress"),
        "EnableIPv6": inputs.get("ipv6"),
        "IPAM": {key: value for key, value in ipam.items() if value},
        "Options": inputs.get("options"),
        "Labels": labels_to_map(inputs.get("labels")),
    }
    return {key: value for key, value in body.items() if value}


def outputs(network: dict[str, Any]) -> dict[str, Any]:
    """Return what the engine says of a network as the resource's outputs."""
    ipam = network.get("IPAM") or {}
    return {
        "name": network["Name"],
        "driver": network["Driver"],
        "scope": network["Scope"],
        "attachable": network["Attachable"],
        "ingress": network["Ingress"],
        "internal": network["Internal"],
        "ipv6": network["EnableIPv6"],
        "labels": map_to_labels(network.get("Labels")),
        "options": network.get("Options") or {},
        "ipamDriver": ipam.get("Driver", ""),
        "ipamOptions": ipam.get("Options") or {},
        "ipamConfigs": [_range(config) for config in ipam.get("Config") or []],
    }


def _range(config: dict[str, Any]) -> dict[str, Any]:
    """Return one of the engine's address ranges."""
    return {key: config.get(name) or ({} if key == "auxAddress" else "") for key, name in RANGE_KEYS.items()}
