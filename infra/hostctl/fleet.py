"""The containers of a release on this host."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .errors import HostctlError
from .fields import Fields
from .files import read_json, write_json
from .spec import ReleaseSpec, Service, read_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .engine import Container
    from .host import Host

KEPT_RUNNING = "always"
"""The restart policy of what serves: Docker, back after a crash, stops what still runs, and has that for a wish."""
LEAST_STOP_SECONDS = 10.0
"""So long anything but a worker has to end, however short its drain or however much of it is over."""


def save_spec(host: Host, raw: dict[str, Any]) -> None:
    """Keep a release's description; it has no secret values."""
    write_json(host.paths.release(str(raw["release"])), raw)


def load_spec(host: Host, release: str) -> ReleaseSpec:
    """Return the kept description of a release, or raise `unknown_release`."""
    raw = read_json(host.paths.release(release))
    if raw is None:
        raise HostctlError("unknown_release", f"this host does not know the release {release}")
    fields = Fields(raw, f"releases/{release}.json")
    spec = read_spec(fields)
    fields.done()
    return spec


def find_spec(host: Host, release: str | None) -> ReleaseSpec | None:
    """Return the description of a release, or None for no release."""
    return load_spec(host, release) if release else None


def find_started(host: Host, release: str) -> ReleaseSpec | None:
    """Return the description of a candidate, or None when its start ended before anything of it was made."""
    return load_spec(host, release) if host.paths.release(release).exists() else None


def containers(host: Host, spec: ReleaseSpec) -> list[Container]:
    """Return the containers of a release, running or not."""
    return host.engine.containers(spec.project)


def has_all(host: Host, spec: ReleaseSpec) -> bool:
    """Return whether every replica's container exists."""
    existing = {container.name for container in containers(host, spec)}
    return all(name in existing for name in names(spec, spec.services))


def names(spec: ReleaseSpec, services: Iterable[Service]) -> list[str]:
    """Return the names of all containers of some services of a release."""
    return [name for service in services for name in spec.containers(service)]


def stopped(host: Host, spec: ReleaseSpec) -> list[str]:
    """Return the replicas that do not run."""
    running = {container.name for container in containers(host, spec) if container.is_running}
    return [name for name in names(spec, spec.services) if name not in running]


def trouble(host: Host, spec: ReleaseSpec, services: Sequence[Service]) -> str:
    """Return what became of the containers of some services of a release by itself, empty when all run."""
    wanted = names(spec, services)
    found = {container.name: container for container in containers(host, spec) if container.name in wanted}
    for name, container in found.items():
        if container.is_oom_killed:
            return f"{name} was killed: it used more memory than its limit"
    down = [name for name in wanted if name not in found or not found[name].is_running]
    return f"{', '.join(down)} ended by itself" if down else ""


def start(host: Host, spec: ReleaseSpec) -> None:
    """Start every kept container of a release, those first that requests wait for."""
    start_services(host, spec, spec.web_services)
    start_services(host, spec, spec.workers)


def start_services(host: Host, spec: ReleaseSpec, services: Iterable[Service]) -> None:
    """Start the kept containers of some services of a release."""
    each(host.engine.start, names(spec, services))


def keep_running(host: Host, spec: ReleaseSpec, *, is_kept: bool) -> None:
    """Say whether Docker starts the release's containers again after a crash or a reboot."""
    policy = KEPT_RUNNING if is_kept else "no"
    changed = [container.name for container in containers(host, spec) if container.restart_policy != policy]
    each(lambda name: host.engine.set_restart_policy(name, policy), changed)


def keep_services_running(host: Host) -> None:
    """Let Docker start data services again after a crash of its own, where a reboot brings them back.

    A changed compose file would have `docker compose` make them anew.
    """
    found = [item for project in host.paths.service_projects for item in host.engine.containers(project)]
    weak = [item.name for item in found if item.restart_policy == "unless-stopped"]
    each(lambda name: host.engine.set_restart_policy(name, KEPT_RUNNING), weak)


def stop(host: Host, spec: ReleaseSpec, *, web_seconds: float = math.inf, waited_seconds: float = 0.0) -> None:
    """Stop the containers of a release side by side; each gets its drain time to finish what it works on.

    A job that a request began goes on in the web service after the answer: so that, too, is waited for, up to
    `web_seconds`, of which `waited_seconds` were spent on requests.
    """
    limits = {}
    for container in containers(host, spec):
        service = spec.service_of(container.service)
        own = service.drain_timeout_seconds if service else 0.0
        if service is None or service.is_web:
            own = max(LEAST_STOP_SECONDS, min(own, web_seconds) - waited_seconds)
        limits[container.name] = own
    each(lambda name: host.engine.stop(name, timeout_seconds=limits[name]), limits)


def kill(host: Host, spec: ReleaseSpec, services: Collection[str]) -> None:
    """End the containers of some services at once."""
    hanging = names(spec, [service for service in spec.services if service.name in services])
    each(lambda name: host.engine.stop(name, timeout_seconds=0), hanging)


def remove(host: Host, spec: ReleaseSpec) -> None:
    """Remove everything that compose made for a release."""
    each(host.engine.remove, [container.name for container in containers(host, spec)])
    host.engine.remove_project_networks(spec.project)


def know_secrets(host: Host, spec: ReleaseSpec) -> None:
    """Teach the redactor the secret values that the release's containers have."""
    for container in containers(host, spec):
        host.redactor.add(container.values_of(spec.secret_names))


def each(action: Callable[[str], None], containers_named: Iterable[str]) -> None:
    """Do something with several containers at once; raise the first error when all are done."""
    chosen = list(containers_named)
    with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as pool:
        futures = [pool.submit(action, name) for name in chosen]
    for future in futures:
        future.result()
