"""The form of a compose file that the program works with: environment and labels as mappings, not as lists of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED = ("networks", "volumes")
PAIRS = ("environment", "labels")
MAPPINGS = ("deploy", "healthcheck", "logging")
LISTS = ("cap_drop", "ports", "security_opt", "volumes")


def form_problems(document: Mapping[str, Any]) -> list[str]:
    """Return every place that has not the form Compose asks for, as `path: message`, where the program looks at it.

    `document` has a mapping `services`. No value of the file is shown: it may be a secret.
    """
    return list(_problems(document))


def in_one_form(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a compose file without form problems, each list of `NAME=value` as a mapping; a bare `NAME` gets None."""
    services = {
        name: {key: _as_mapping(value) if key in PAIRS else value for key, value in service.items()}
        for name, service in document["services"].items()
    }
    return {**document, "services": services}


def _problems(document: Mapping[str, Any]) -> Iterator[str]:
    for kind in SHARED:
        part = document.get(kind)
        if part is None:
            continue
        yield from _unless(dict, kind, part)
        for name, entry in part.items() if isinstance(part, dict) else ():
            if entry is not None:
                yield from _unless(dict, f"{kind}.{name}", entry)
    for name, service in document["services"].items():
        yield from _unless(dict, f"services.{name}", service)
        for key, value in service.items() if isinstance(service, dict) else ():
            if value is not None:
                yield from _key_problems(f"services.{name}.{key}", key, value)


def _key_problems(path: str, key: object, value: Any) -> Iterator[str]:
    """Yield what is wrong with the form of one key of a service."""
    if key in MAPPINGS:
        yield from _unless(dict, path, value)
    elif key in LISTS:
        yield from _unless(list, path, value)
    elif key in PAIRS:
        yield from _pair_problems(path, value)


def _pair_problems(path: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with the form of an environment or of labels."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item.partition("=")[0]:
                yield f"{path}[{index}]: must be text of the form NAME=value"
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                yield f"{path}: the name {name} is no text in YAML: put it in quotes"
            if isinstance(item, dict | list):
                yield f"{path}.{name}: must be one value (got {_kind(item)})"
    else:
        yield from _unless(dict, path, value)


def _unless(wanted: type, path: str, value: object) -> Iterator[str]:
    """Yield the problem of a value that is not a `wanted`."""
    if not isinstance(value, wanted):
        yield f"{path}: must be {_kind(wanted())} (got {_kind(value)})"


def _kind(value: object) -> str:
    """Return what YAML calls a value."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else "a single value"


def _as_mapping(value: Any) -> Any:
    """Return a list of `NAME=value` as a mapping, anything else as it is."""
    if not isinstance(value, list):
        return value
    pairs = (item.partition("=") for item in value)
    return {name: text if separator else None for name, separator, text in pairs}
