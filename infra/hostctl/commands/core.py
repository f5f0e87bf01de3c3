"""`core`: the data services of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import fleet
from ..errors import HostctlError
from ..files import write_json
from ..images import ensure_images, read_registry
from ..lease import read_lease
from ..spec import IMAGE, IMAGE_HINT

if TYPE_CHECKING:
    from ..engine import Container
    from ..fields import Fields
    from ..host import Host

PROJECT = r"acp-[a-z0-9][a-z0-9_-]{0,40}"
POLL_SECONDS = 0.3
LOG_LINES = 25


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Start or update a project that is not part of a release, and wait until it is healthy."""
    project = fields.text("project", "acp-core", pattern=PROJECT)
    document = fields.raw_object("compose")
    images = fields.texts("images", pattern=IMAGE, hint=IMAGE_HINT)
    secrets = fields.mapping("secrets", optional=True)
    wait_seconds = fields.number("wait_seconds", 120.0)
    login, lease = read_registry(fields), read_lease(fields)
    if not isinstance(document.get("services"), dict):
        fields.problem("compose.services", "must be an object")
    fields.done()
    with host.changing(project, lease):
        with host.journal.step("core", "pull", project=project):
            ensure_images(host.engine, images, login, lambda text: host.progress("core", text))
        write_json(host.paths.core / f"{project}.json", document)
        before = {container.id for container in host.engine.containers(project)}
        with host.journal.step("core", "up", project=project):
            host.progress("core", f"starting {project}")
            host.compose.up(project, document, secrets=secrets, options=["--remove-orphans"])
            fleet.keep_services_running(host)
        with host.journal.step("core", "healthy", project=project):
            containers = _wait_healthy(host, project, wait_seconds)
    return {
        "changed": {container.id for container in containers} != before,
        "containers": [container.summary() for container in containers],
    }


def _wait_healthy(host: Host, project: str, wait_seconds: float) -> list[Container]:
    """Wait until every container runs and none has a health check that does not pass."""
    deadline = host.clock.monotonic() + wait_seconds
    while True:
        containers = host.engine.containers(project)
        waiting = [
            container
            for container in containers
            if not container.is_running or container.health not in {None, "healthy"}
        ]
        if not waiting:
            return containers
        if host.clock.monotonic() >= deadline:
            worst = waiting[0]
            what = worst.health or worst.state
            raise HostctlError(
                "not_healthy",
                f"{worst.name} is {what} after {wait_seconds:g} seconds",
                container=worst.name,
                logs=host.engine.log_tail(worst.name, LOG_LINES),
            )
        host.clock.sleep(POLL_SECONDS)
