"""What going back changes, in words: images and settings, the compose file, and the schema of the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.domain.change import describe_change

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA_LABEL = "acp.schema"
MOST_LINES = 20
DESCRIBED = {"image", "environment", "labels", "mem_limit", "cpus", "scale", "stop_grace_period"}
"""Keys of a compose service that other lines speak of already."""


def describe_rollback(current: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """Return one line per difference between two recorded releases, migrations last."""
    old, new = current.get("spec") or {}, target.get("spec") or {}
    lines = describe_change(current.get("summary") or {}, target["summary"])
    lines += _digests(current, target)
    compose = list(_differences(_services(old), _services(new)))
    lines += [f"compose {line}" for line in compose[:MOST_LINES]]
    if len(compose) > MOST_LINES:
        lines.append(f"compose … and {len(compose) - MOST_LINES} more")
    return lines + list(_migrations(old, new))


def _digests(current: Mapping[str, Any], target: Mapping[str, Any]) -> list[str]:
    """Return a line per image that has another digest under the same version."""
    old, new = current.get("images") or {}, target["images"]
    versions = [(entry.get("summary") or {}).get("versions", {}) for entry in (current, target)]
    return [
        f"{name} {old[name].rpartition('@')[2][:19]} → {pinned.rpartition('@')[2][:19]}"
        for name, pinned in new.items()
        if name in old and old[name] != pinned and versions[0].get(name) == versions[1].get(name)
    ]


def _services(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compose services without what other lines speak of and what names the release itself."""
    services = (spec.get("compose") or {}).get("services") or {}
    project = str(spec.get("project") or "")
    return {
        name: {
            key: _without(value, project, str(spec.get("release") or ""))
            for key, value in service.items()
            if key not in DESCRIBED
        }
        for name, service in services.items()
    }


def _without(value: Any, project: str, release: str) -> Any:
    """Return a value with the release's own names taken out of it."""
    if isinstance(value, str):
        return value.replace(project, "").replace(release, "") if project and release else value
    if isinstance(value, dict):
        return {_without(key, project, release): _without(item, project, release) for key, item in value.items()}
    return [_without(item, project, release) for item in value] if isinstance(value, list) else value


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which two documents differ, without the values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"- {inner}"
            elif key not in old:
                yield f"+ {inner}"
            else:
                yield from _differences(old[key], new[key], inner)
    elif old != new:
        yield f"{path} changed"


def _migrations(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the label `acp.schema` says: going back moves no data."""
    before, after = _schemas(old), _schemas(new)
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield (
                f"migrations: {name} goes from schema {before.get(name, 'unknown')} to {after.get(name, 'unknown')};"
                " the data stays as it is: the older release must be able to read it"
            )


def _schemas(spec: Mapping[str, Any]) -> dict[str, str]:
    services = (spec.get("compose") or {}).get("services") or {}
    return {
        name: str((service.get("labels") or {})[SCHEMA_LABEL])
        for name, service in services.items()
        if SCHEMA_LABEL in (service.get("labels") or {})
    }
