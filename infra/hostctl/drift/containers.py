"""Where the containers of releases and data services are not as the state says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List

from .. import fleet
from ..engine import Container
from ..errors import HostctlError
from ..files import read_json
from .difference import REPAIR, Difference

if TYPE_CHECKING:
    from ..host import Host
    from ..spec import ReleaseSpec
    from ..state import State

Projects = Dict[str, List[Container]]
EDGE_PROJECT = "acp-edge"
RELEASE_PREFIX = "acp-"
SET_UP_AGAIN = 'run the set-up of the data services again: docs/runbook.md, "A data service is gone"'
MAKE_AGAIN = f"{REPAIR}, with the secrets of the release exported"
FORGET = f"{REPAIR} forgets it; a rollback to it pulls its images again"


def release_drift(host: Host, state: State, projects: Projects) -> list[Difference]:
    """Return how the containers of every known release differ, and which belong to none."""
    found = []
    known = {EDGE_PROJECT, *host.paths.service_projects}
    for release in sorted(state.known):
        try:
            spec = fleet.load_spec(host, release)
        except HostctlError as error:
            found.append(Difference(error.message, _unreadable(state, release)))
            continue
        known.add(spec.project)
        existing = {container.name: container for container in projects.get(spec.project, [])}
        if release == state.current:
            found += _current(host, state, spec, existing)
        if release in state.parked:
            found += _parked(spec, existing)
    for project, containers in sorted(projects.items()):
        if project.startswith(RELEASE_PREFIX) and project not in known:
            found.append(
                Difference(f"the project {project} belongs to no known release ({len(containers)} containers)")
            )
    return found


def service_drift(host: Host, projects: Projects) -> list[Difference]:
    """Return which data services do not run as they were set up."""
    found = []
    for project in host.paths.service_projects:
        document = read_json(host.paths.core / f"{project}.json") or {}
        existing = {container.service: container for container in projects.get(project, [])}
        for service, body in sorted((document.get("services") or {}).items()):
            container = existing.get(service)
            if container is None:
                found.append(Difference(f"{service} of {project} has no container", SET_UP_AGAIN))
            elif not container.is_running:
                found.append(Difference(f"{container.name} is {container.state}"))
            elif container.image != body.get("image"):
                found.append(
                    Difference(f"{container.name} runs {container.image}, it was set up with {body.get('image')}",
                               SET_UP_AGAIN)
                )  # fmt: skip
    return found


def wanted(spec: ReleaseSpec) -> dict[str, str]:
    """Return the image of every container that a release should have, by the container's name."""
    return {
        name: str(spec.compose["services"][service.compose_service]["image"])
        for service in spec.services
        for name in spec.containers(service)
    }


def wanted_networks(spec: ReleaseSpec, compose_service: str) -> dict[str, tuple[str, ...]]:
    """Return the host's networks that a service should be on, with the names that it has there for others.

    Those that compose itself makes are left out. The service's own name is one of the names, as compose gives it.
    """
    networks = spec.compose.get("networks") or {}
    named = spec.compose["services"][compose_service].get("networks") or ()
    options = named if isinstance(named, dict) else dict.fromkeys(named)
    return {
        str(networks[key]["name"]): (compose_service, *((options[key] or {}).get("aliases") or ()))
        for key in options
        if (networks.get(key) or {}).get("external")
    }


def misplaced(spec: ReleaseSpec, container: Container) -> dict[str, tuple[str, ...]]:
    """Return the networks of `wanted_networks` that a running container is not on, or not under all its names."""
    return {
        network: names
        for network, names in sorted(wanted_networks(spec, container.service).items())
        if network not in container.addresses or not {*names} <= {*container.aliases.get(network, ())}
    }


def is_replaced(host: Host, container: Container, image: str) -> bool:
    """Return whether a container was not made from `image`: by its reference, or by what the reference means here."""
    if container.image != image:
        return True
    known = host.engine.image(image)
    return known is not None and bool(container.image_id) and container.image_id != known.get("Id")


def _current(host: Host, state: State, spec: ReleaseSpec, existing: dict[str, Container]) -> list[Difference]:
    """Return how the committed release differs."""
    found: list[Difference] = []
    images = wanted(spec)
    for name, image in images.items():
        container = existing.get(name) or host.engine.container(name)
        if container is None:
            found.append(Difference(f"{name} of the current release is missing", MAKE_AGAIN))
        elif name not in existing:
            found.append(
                Difference(f"{name} was replaced by hand: it runs {container.image} outside the release", MAKE_AGAIN)
            )
        else:
            found += _replica(host, state, spec, container, image)
    found += [Difference(f"{name} is one more than the release has") for name in sorted(set(existing) - set(images))]
    found += [
        Difference(f"the image {image} of the current release was removed from this host")
        for image in sorted(set(images.values()))
        if host.engine.image(image) is None
    ]
    return found


def _replica(host: Host, state: State, spec: ReleaseSpec, container: Container, image: str) -> list[Difference]:
    """Return how one replica of the committed release differs."""
    name = container.name
    if is_replaced(host, container, image):
        return [
            Difference(f"{name} was replaced by hand: it runs {container.image}, the release has {image}", MAKE_AGAIN)
        ]
    if not container.is_running:
        return [Difference(f"{name} of the current release does not run: it is {container.state}")]
    if state.trial is not None or state.retiring is not None:
        return []
    found = [
        Difference(f"{name} is not on the network {network} any more")
        if network not in container.addresses
        else Difference(f"{name} is not on the network {network} under all its names: {', '.join(names)}")
        for network, names in misplaced(spec, container).items()
    ]
    if container.restart_policy != fleet.KEPT_RUNNING:
        found.append(Difference(f"{name} would not start again by itself: its restart policy is not `always`"))
    return found


def _parked(spec: ReleaseSpec, existing: dict[str, Container]) -> list[Difference]:
    """Return how a parked release differs."""
    found = [
        Difference(f"{name} of a parked release runs") for name, container in existing.items() if container.is_running
    ]
    missing = sorted(set(wanted(spec)) - set(existing))
    if missing:
        found.append(
            Difference(
                f"{', '.join(missing)} of the parked release {spec.release} is missing: it cannot start warm any more",
                FORGET,
            )
        )
    return found


def _unreadable(state: State, release: str) -> str:
    """Return the mend for a release whose description is gone."""
    if release == state.current:
        return 'put the record\'s `spec` of it back: docs/runbook.md, "A host lost its state"'
    return FORGET
