"""The settings of a recorded release: what describes the release is as it was recorded, all else as it is today."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from infra.errors import SettingsError, UsageError
from infra.settings.check_references import SERVICES
from infra.settings.load import describe_problem
from infra.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_OTHER = ""
"""Stands for every release without an entry, where settings are told by release."""

MEND = "go back from a checkout that has this release's stack file, that of its own commit for one; nothing was changed"


def as_recorded(settings: Settings, entry: Mapping[str, Any]) -> Settings:
    """Return the settings with what they said of a recorded release; `entry` is its entry in the record.

    That is what `Settings.of_release` returns. Raises `UsageError` for an entry without it, as earlier versions of this
    program wrote, where today's settings cannot stand in, and `SettingsError` where this version does not know a key.
    """
    told = entry.get("settings") or _told_by_spec(settings, entry)
    values = settings.model_dump(mode="json")
    values = {**values, "services": told["services"], "checks": {**values["checks"], **told["checks"]}}
    try:
        checked = Settings.model_validate(values)
    except ValidationError as error:
        problems = [describe_problem(detail) for detail in error.errors()]
        raise SettingsError(f"the record of {entry['release']}", problems, mend=MEND) from None
    # All else stays the very same: a whole number that went through JSON is written differently, and hashes differ.
    return settings.model_copy(update={"services": checked.services, "checks": checked.checks})


def as_released(settings: Settings, outputs: Mapping[str, Any]) -> Settings:
    """Return the settings by which the recorded release of `outputs` is asked; today's where they cannot be told."""
    with contextlib.suppress(UsageError, SettingsError):
        return as_recorded(settings, outputs["release_entry"])
    return settings


def _told_by_spec(settings: Settings, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a release's spec says of its services; how health is asked, and which is whose, only today's say."""
    spec = entry["spec"]
    images = {pinned: name for name, pinned in entry["images"].items()}
    services = {service["name"]: _service(service, spec["compose"]["services"], images) for service in spec["services"]}
    web = {name for name, service in services.items() if service["role"] == "web"}
    known = {name: service for name, service in settings.services.items() if service.role == "web"}
    problems = [
        f"services.{name}: is not there, and nothing else says how its health is asked" for name in web - set(known)
    ]
    problems += [
        f"checks.{key}: {name!r} is no web service of that release"
        for key in SERVICES
        if (name := getattr(settings.checks, key)) not in web
    ]
    if problems:
        raise UsageError(
            f"{entry['release']} was recorded without its settings, and those of today do not fit it:\n"
            + "\n".join(f"  - {problem}" for problem in sorted(problems)),
            mend=MEND,
        )
    for name in web:
        services[name]["health"] = known[name].health.model_dump(mode="json")
    return {"services": services, "checks": {}}


def _service(told: Mapping[str, Any], compose: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """Return one service as the settings have it, from the release's spec and compose file."""
    container = compose[told["compose_service"]]
    own = {key: value for key, value in told.items() if key != "name"}
    return {**own, "image": images[container["image"]], "cpus": container["cpus"]}
