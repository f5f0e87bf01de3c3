"""`docker:index/volume:Volume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.docker.comparison import labels_to_map, map_to_labels
from infra.toolchain.plugins.docker.engine import NOT_FOUND, EngineError
from infra.toolchain.plugins.docker.kind import Kind
from infra.toolchain.plugins.docker.removal import removed_from, wait_removed

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.plugins.docker.engine import Engine

STILL_USED = "volume is in use"


class Volume(Kind):
    """A volume; one of that name is adopted, and any change replaces it together with its data."""

    inputs = frozenset({"cluster", "driver", "driverOpts", "labels", "name"})
    computed = frozenset({"driver", "mountpoint"})
    defaults: ClassVar[dict[str, str]] = {}

    def create(self, engine: Engine, inputs: dict[str, Any]) -> str:
        """Make or adopt the volume."""
        if inputs.get("cluster"):
            message = "cluster volumes are not in this drop-in plugin"
            raise PluginError(message)
        body = {
            "Name": inputs["name"],
            "Driver": inputs.get("driver"),
            "DriverOpts": inputs.get("driverOpts"),
            "Labels": labels_to_map(inputs.get("labels")),
        }
        made = engine.request("POST", "/volumes/create", {key: value for key, value in body.items() if value})
        return str(made["Name"])

    def read(self, engine: Engine, object_id: str) -> dict[str, Any] | None:
        """Return the volume's outputs."""
        try:
            volume = engine.request("GET", f"/volumes/{quote(object_id)}")
        except EngineError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return {
            "name": volume["Name"],
            "driver": volume["Driver"],
            "driverOpts": volume.get("Options"),
            "labels": map_to_labels(volume.get("Labels")),
            "mountpoint": volume["Mountpoint"],
            "cluster": None,
        }

    def remove(self, engine: Engine, object_id: str, pause: Callable[[float], bool]) -> None:
        """Remove the volume and its data once no container uses it."""
        path = f"/volumes/{quote(object_id)}?force=1"
        wait_removed(lambda: removed_from(engine, path, while_used=STILL_USED), in_use_state="in_use", pause=pause)
