"""What must fit together between the sections of a stack file, judged on raw values so that nothing is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.settings.check_references import check_problems
from infra.settings.model import SECRET_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def reference_problems(values: Mapping[str, Any]) -> list[str]:
    """Return every reference that leads nowhere and every name used twice; malformed parts are left to the model."""
    images = _mapping(values.get("images"))
    services = {name: _mapping(service) for name, service in _mapping(values.get("services")).items()}
    secret_names = _mapping(values.get("secrets")).get("names", SECRET_NAMES)
    hosts = values.get("hosts")
    host_names = [_mapping(host).get("name") for host in hosts] if isinstance(hosts, list) else []
    ports = [_mapping(service.get("routes")).get("public_port") for service in services.values()]
    load = _mapping(values.get("load"))
    return [
        *(
            f"services.{name}.image: no image {service['image']!r} in images"
            for name, service in services.items()
            if "image" in service and service["image"] not in images
        ),
        *(f"hosts: name {name!r} stands twice" for name in _twice(host_names)),
        *(
            f"environment.{name}: is a secret; set it in the runner's environment"
            for name in _mapping(values.get("environment"))
            if isinstance(secret_names, list | tuple) and name in secret_names
        ),
        *(f"services: public_port {port} stands twice" for port in _twice(ports)),
        *(
            f"services: compose_service {name!r} stands twice"
            for name in _twice(service.get("compose_service") for service in services.values())
        ),
        *(check_problems(values, secret_names) if isinstance(secret_names, list | tuple) else ()),
        *_request_problems(_mapping(load.get("regression")).get("requests"), services),
    ]


def _request_problems(requests: object, services: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with requests that must be safe to ask for."""
    for index, request in enumerate(requests if isinstance(requests, list) else []):
        path, found = f"load.regression.requests[{index}]", _mapping(request)
        routes = _routes(services, found.get("service"))
        if not routes:
            yield f"{path}.service: no web service {found.get('service')!r} in services"
        elif found.get("method") == "POST" and found.get("path") not in routes.get("repeatable_paths", ()):
            yield f"{path}.path: {found.get('path')!r} is not in repeatable_paths of {found['service']}: it may do harm"


def _routes(services: Mapping[str, dict[str, Any]], name: object) -> dict[str, Any]:
    """Return the routes of a web service, empty for anything else."""
    return _mapping(services.get(name, {}).get("routes")) if isinstance(name, str) else {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _twice(values: Iterable[object]) -> list[object]:
    """Return each value that is there more than once, in order."""
    found = [value for value in values if isinstance(value, str | int)]
    return list(dict.fromkeys(value for value in found if found.count(value) > 1))
