"""What must fit together between the sections of a stack file, judged on raw values so that nothing is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.settings.check_references import check_problems
from infra.settings.model import SECRET_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def reference_problems(values: Mapping[str, Any]) -> list[str]:
    """Return every reference that leads nowhere and every name used twice; malformed parts are left to the model."""
    images = _mapping(values.get("images"))
    services = {name: _mapping(service) for name, service in _mapping(values.get("services")).items()}
    secret_names = _mapping(values.get("secrets")).get("names", SECRET_NAMES)
    hosts = values.get("hosts")
    host_names = [_mapping(host).get("name") for host in hosts] if isinstance(hosts, list) else []
    ports = [_mapping(service.get("routes")).get("public_port") for service in services.values()]
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
    ]


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _twice(values: Iterable[object]) -> list[object]:
    """Return each value that is there more than once, in order."""
    found = [value for value in values if isinstance(value, str | int)]
    return list(dict.fromkeys(value for value in found if found.count(value) > 1))
