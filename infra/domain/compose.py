"""The rendered compose file: the app's template with images, limits, networks and environment filled in."""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING, Any

from infra.domain.naming import data_network, data_volume, front_network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings.model import Core, Service, Settings

RELEASE_PLACEHOLDER = "@RELEASE@"
PROJECT_PLACEHOLDER = "@PROJECT@"
VERSION_PLACEHOLDER = "@VERSION@"
OWN_ENVIRONMENT = {"ACP_RELEASE": RELEASE_PLACEHOLDER, "ACP_VERSION": VERSION_PLACEHOLDER}
GRACE_MARGIN_SECONDS = 5
INTERPOLATION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def render_compose(settings: Settings, template: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """Return the app's compose file for these images; release id, project and version stay placeholders.

    `template` has each environment and all labels as a mapping, as `infra/domain/compose_form.py` makes them.
    """
    document = _without_extensions(template)
    for service in settings.services.values():
        document["services"][service.compose_service] |= _service(settings, service, document, images[service.image])
    document["networks"] = {
        name: {**(network or {}), **_external(settings.stack, name)}
        for name, network in (document.get("networks") or {}).items()
    }
    return document


def bind_release(compose: Mapping[str, Any], *, release_id: str, project: str, version: str) -> dict[str, Any]:
    """Return `compose` with the placeholders of one release replaced."""
    values = {RELEASE_PLACEHOLDER: release_id, PROJECT_PLACEHOLDER: project, VERSION_PLACEHOLDER: version}
    bound: dict[str, Any] = _replace(compose, values)
    return bound


def render_core(stack: str, template: Mapping[str, Any], images: Mapping[str, str], core: Core) -> dict[str, Any]:
    """Return the compose file of the data services with pinned images and external volumes and networks."""
    document = _without_extensions(template)
    for name, image in images.items():
        document["services"][name]["image"] = image
    document["networks"] = {
        name: {**(network or {}), **_external(stack, name)}
        for name, network in (document.get("networks") or {}).items()
    }
    document["volumes"] = {name: {"name": data_volume(stack, name), "external": True} for name in core.volumes}
    return document


def _service(settings: Settings, service: Service, document: Mapping[str, Any], image: str) -> dict[str, Any]:
    """Return the keys that the settings decide for one service."""
    base = document["services"][service.compose_service]
    grace_seconds = math.ceil(service.drain_timeout_seconds) + GRACE_MARGIN_SECONDS
    return {
        "image": image,
        "scale": service.replicas,
        "mem_limit": int(service.memory_bytes),
        "cpus": service.cpus,
        "stop_grace_period": f"{grace_seconds}s",
        "environment": {
            **_environment(base),
            **{key: value.replace("$", "$$") for key, value in settings.environment.items()},
            **OWN_ENVIRONMENT,
        },
        "labels": {
            **{key: _text(value) for key, value in (base.get("labels") or {}).items()},
            "acp.stack": settings.stack,
            "acp.release": RELEASE_PLACEHOLDER,
            "acp.service": service.compose_service,
        },
        **({"deploy": _without_sizes(base["deploy"])} if base.get("deploy") else {}),
    }


def unknown_secrets(settings: Settings, template: Mapping[str, Any]) -> list[str]:
    """Return the problem of every value in a service's environment that nothing on a host would give.

    That is a `${NAME}` that is not among the stack's secrets, and a name without a value that is neither a secret nor
    a setting of the stack.
    """
    decided = {*settings.environment, *OWN_ENVIRONMENT}
    return [
        f"services.{name}.environment.{key}: {_unknown(key, secret, given[key])}"
        for name, service in template["services"].items()
        for given in [service.get("environment") or {}]
        for key, value in _environment(service).items()
        for secret in INTERPOLATION.findall(value.replace("$$", ""))
        if key not in decided and secret not in settings.secrets.names
    ]


def _unknown(key: str, secret: str, given: object) -> str:
    """Return what is wrong with a value that asks for `secret`, which the stack does not have."""
    if given is None:
        return (
            "has no value, and no shell's environment reaches a host: "
            f"write one here, or name {key} in acp:environment or acp:secrets.names"
        )
    return f"${{{secret}}} is not in secrets.names"


def _environment(service: Mapping[str, Any]) -> dict[str, str]:
    """Return a service's environment as text; a name without a value takes the secret of that name."""
    return {
        key: f"${{{key}}}" if value is None else _text(value)
        for key, value in (service.get("environment") or {}).items()
    }


def _without_sizes(deploy: Mapping[str, Any]) -> dict[str, Any]:
    """Return `deploy` without replicas and limits: Compose refuses a second value beside `scale` and `mem_limit`."""
    kept = {key: value for key, value in deploy.items() if key != "replicas"}
    if isinstance(kept.get("resources"), dict):
        kept["resources"] = {key: value for key, value in kept["resources"].items() if key != "limits"}
    return kept


def _text(value: Any) -> str:
    """Return a value of the template as YAML means it: `true` and nothing, not Python's `True` and `None`."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _without_extensions(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deep copy without the `x-…` keys, which only serve the author of the file."""
    return {key: copy.deepcopy(value) for key, value in template.items() if not key.startswith("x-")}


def _external(stack: str, network: str) -> dict[str, Any]:
    """Return the reference to a network that Pulumi made, for the names that it makes."""
    made = {"front": front_network(stack), "data": data_network(stack)}
    return {"name": made[network], "external": True} if network in made else {}


def _replace(value: Any, values: Mapping[str, str]) -> Any:
    """Return `value` with every placeholder in its strings and keys replaced."""
    if isinstance(value, str):
        for placeholder, text in values.items():
            value = value.replace(placeholder, text)
        return value
    if isinstance(value, dict):
        return {_replace(key, values): _replace(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item, values) for item in value]
    return value
