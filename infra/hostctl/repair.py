"""Putting a host right: containers, networks and edge as the state says; data is never touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import fleet
from .compose import on_trial, up_seconds
from .drift.containers import EDGE_PROJECT, RELEASE_PREFIX, is_replaced, misplaced, wanted
from .edge.apply import apply_edge
from .edge.container import HOLDER
from .errors import HostctlError
from .images import ensure_images
from .serving import wait_serving

if TYPE_CHECKING:
    from .engine import Container
    from .host import Host
    from .images import RegistryLogin
    from .spec import ReleaseSpec

PAUSED = "paused"
SERVING_SECONDS = 15.0


def repair(host: Host, secrets: dict[str, str], login: RegistryLogin | None) -> None:
    """Mend what can be mended of a host without a trial: first what others need, at last a look that it answers."""
    current = fleet.find_spec(host, host.state.current)
    with host.journal.step("repair", "services"):
        _start_services(host)
    if current is not None:
        with host.journal.step("repair", "current", release=current.release):
            _mend_current(host, current, secrets, login)
    if host.edge.is_set_up and host.engine.network_exists(host.edge.settings.network):
        with host.journal.step("repair", "edge"):
            _remove_false_edge(host)
            apply_edge(host, host.edge.settings, login, current, pem=None, certificate_file=None)
    with host.journal.step("repair", "parked"):
        _mend_parked(host)
    with host.journal.step("repair", "strays"):
        _remove_strays(host)
    if current is not None and fleet.has_all(host, current):
        with host.journal.step("repair", "answers", release=current.release):
            host.prober().wait(current)
            wait_serving(host, current.release, timeout_seconds=SERVING_SECONDS)


def _mend_current(host: Host, spec: ReleaseSpec, secrets: dict[str, str], login: RegistryLogin | None) -> None:
    """Make the committed release whole, as far as secrets and registry allow, and let it run."""
    try:
        ensure_images(host.engine, spec.images, login, lambda text: host.progress("repair", text))
    except HostctlError as error:
        host.progress("repair", f"going on without an image: {error.message}")
    else:
        _make_missing(host, spec, secrets)
    for container in fleet.containers(host, spec):
        if container.name in wanted(spec):
            _run(host, container)
        else:
            host.progress("repair", f"removing {container.name}: the release has no such replica")
            host.engine.remove(container.name)
    _connect(host, spec)
    fleet.keep_running(host, spec, is_kept=True)


def _remove_replaced(host: Host, spec: ReleaseSpec) -> None:
    """Remove containers that have a replica's name but were not made for it."""
    for name, image in wanted(spec).items():
        container = host.engine.container(name)
        if container is not None and (container.project != spec.project or is_replaced(host, container, image)):
            host.progress("repair", f"removing {name}: it runs {container.image}")
            host.engine.remove(name)


def _make_missing(host: Host, spec: ReleaseSpec, secrets: dict[str, str]) -> None:
    """Have compose make what is missing or was replaced, with the secrets of the request; without them leave it."""
    lacking = sorted(set(spec.secret_names) - set(secrets))
    if lacking:
        host.progress("repair", f"making no container: that needs the release's secrets: {', '.join(lacking)}")
        return
    _remove_replaced(host, spec)
    if fleet.has_all(host, spec):
        return
    host.progress("repair", f"making the missing containers of {spec.release}")
    host.compose.up(
        spec.project,
        on_trial(spec.compose),
        secrets={name: secrets[name] for name in spec.secret_names},
        options=["--no-recreate"],
        timeout_seconds=up_seconds(spec),
    )
    for service in spec.services:
        _rename(host, spec, service.compose_service, spec.containers(service))


def _rename(host: Host, spec: ReleaseSpec, compose_service: str, names: tuple[str, ...]) -> None:
    """Give new replicas the names of missing ones: compose counts on from the highest number, it fills no gap."""
    existing = [item.name for item in fleet.containers(host, spec) if item.service == compose_service]
    spare = [name for name in existing if name not in names]
    missing = [name for name in names if name not in existing]
    while spare and missing:
        host.engine.rename(spare.pop(0), missing.pop(0))


def _connect(host: Host, spec: ReleaseSpec) -> None:
    """Put replicas back on the networks that they were taken off, under the names by which others look for them."""
    for container in fleet.containers(host, spec):
        for network, names in misplaced(spec, container).items():
            host.progress("repair", f"connecting {container.name} to {network}")
            if network in container.addresses:
                host.engine.disconnect(container.name, network)
            host.engine.connect(container.name, network, [container.name, *names])


def _remove_false_edge(host: Host) -> None:
    """Remove a container that has the edge's name but was not made for it."""
    images = (host.edge.files.load() or {}).get("images", {})
    container = host.engine.container(HOLDER)
    if container is not None and (container.project != EDGE_PROJECT or container.image != images.get(HOLDER)):
        host.progress("repair", f"removing {HOLDER}: it runs {container.image}")
        host.engine.remove(HOLDER)


def _start_services(host: Host) -> None:
    """Start data services that were stopped; one that is gone needs its set-up."""
    for project in host.paths.service_projects:
        for container in host.engine.containers(project):
            _run(host, container)


def _run(host: Host, container: Container) -> None:
    """Make a container run that was stopped or paused."""
    if container.is_running:
        return
    host.progress("repair", f"starting {container.name}")
    if container.state == PAUSED:
        host.engine.unpause(container.name)
    else:
        host.engine.start(container.name)


def _mend_parked(host: Host) -> None:
    """Stop parked releases that run, and forget those that are not whole any more."""
    for release in host.state.parked:
        path = host.paths.release(release)
        spec = fleet.load_spec(host, release) if path.exists() else None
        if spec is not None and fleet.has_all(host, spec):
            if any(container.is_running for container in fleet.containers(host, spec)):
                fleet.stop(host, spec)
            continue
        host.progress("repair", f"forgetting {release}: it is not whole")
        if spec is not None:
            fleet.remove(host, spec)
        path.unlink(missing_ok=True)
        state = host.state.unpark(release)
        host.store.save(state.with_(previous=None) if state.previous == release else state)


def _remove_strays(host: Host) -> None:
    """Remove the containers of projects that no known release has."""
    known = {EDGE_PROJECT, *host.paths.service_projects}
    known |= {fleet.load_spec(host, release).project for release in host.state.known}
    for project, containers in sorted(host.engine.projects(RELEASE_PREFIX).items()):
        if project not in known:
            host.progress("repair", f"removing {project}: it belongs to no release")
            for container in containers:
                host.engine.remove(container.name)
            host.engine.remove_project_networks(project)
