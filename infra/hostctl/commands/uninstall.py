"""`uninstall`: take everything that hostctl made off this host; networks and volumes are not its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..authorized_keys import bind_keys
from ..edge.container import PROJECT as EDGE_PROJECT
from ..lease import read_lease

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Remove the containers of all releases, the edge and the data services, the deploy keys and the base folder."""
    lease = read_lease(fields)
    fields.done()
    removed = []
    if host.paths.base.exists():
        with host.changing("uninstall", lease):
            for project in _projects(host):
                host.progress("uninstall", f"removing {project}")
                for container in host.engine.containers(project):
                    host.engine.remove(container.name)
                    removed.append(container.name)
                host.engine.remove_project_networks(project)
            bind_keys(Path.home() / ".ssh" / "authorized_keys", (), (), host.paths.executable)
        shutil.rmtree(host.paths.base)
    return {"removed": removed}


def _projects(host: Host) -> list[str]:
    """Return the compose projects that hostctl has made, the edge first: nothing is served from then on."""
    releases = [
        str(json.loads(path.read_text(encoding="utf-8"))["project"])
        for path in sorted(host.paths.releases.glob("*.json"))
    ]
    return [EDGE_PROJECT, *releases, *host.paths.service_projects]
