"""The rules on what a stack will run, the program's and the hosts', before anything is declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.checks.compose_mends import mend_of
from infra.domain.compose import render_core
from infra.domain.compose_policy import compose_problems, unreached
from infra.domain.compose_references import missing_parts, missing_values, shared_addresses, unmade_volumes
from infra.domain.naming import data_network, data_volume, front_network
from infra.domain.release import ImageRef, build_release
from infra.errors import GateError, SettingsError
from infra.hostctl.compose_policy import new_problems
from infra.hostctl.fields import Fields
from infra.hostctl.spec import read_spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings import Settings

UNKNOWN = ImageRef(name="", repository="example.test/image", tag="", digest=f"sha256:{'0' * 64}")
"""Stands for images whose digest is not known yet: the renderer takes nothing but digests."""
UNKNOWN_VERSION = "v0"


COMPOSE = "compose."
SERVICE = re.compile(r"^services\[(\d+)\]")
"""What the paths of problems in a release document begin with, where it has the compose file and the services."""


def check_compose(settings: Settings, app: Mapping[str, Any], core: Mapping[str, Any] | None) -> None:
    """Raise what is wrong with the release that these templates and settings make, before anything is built.

    That is `SettingsError` with every setting that hosts refuse, else `GateError` with every breach in the compose
    files.
    """
    images = dict.fromkeys(settings.images, UNKNOWN)
    spec = build_release(settings, app, images, version=UNKNOWN_VERSION, fingerprints={}).spec
    refused = _refused_by_hosts(spec)
    if unfit := [problem for problem in refused if not problem.startswith(COMPOSE)]:
        raise SettingsError(
            f"stacks/Pulumi.{settings.stack}.yaml",
            [_in_settings(problem, spec["services"]) for problem in unfit],
            mend="docs/settings.md lists every key; nothing was changed",
        )
    in_file = [problem.removeprefix(COMPOSE) for problem in refused]
    problems = [f"{settings.compose_file}: {problem}" for problem in _app_problems(settings, spec, in_file)]
    if settings.core and core:
        problems += [f"{settings.core.compose_file}: {problem}" for problem in _core_problems(settings, core)]
    if problems:
        noun = "breach" if len(problems) == 1 else "breaches"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise GateError(
            f"{len(problems)} {noun} of the compose rules on stack {settings.stack}:\n{lines}",
            mend="docs/gate.md has the rules, and `x-hardened` in compose/app.yaml what each service has to say for "
            "them; nothing was changed",
        )


def _refused_by_hosts(spec: Mapping[str, Any]) -> list[str]:
    """Return what hostctl refuses in a release document, as it says it."""
    fields = Fields(dict(spec))
    read_spec(fields)
    for path, text in new_problems(spec["compose"]):
        fields.problem(f"compose.{path}", text)
    return fields.problems


def _in_settings(problem: str, services: Sequence[Mapping[str, Any]]) -> str:
    """Return a problem of a release document with the path that it has in the settings."""
    return SERVICE.sub(lambda found: f"services.{services[int(found[1])]['name']}", problem)


def _app_problems(settings: Settings, spec: Mapping[str, Any], refused: Sequence[str]) -> list[str]:
    """Return what stands against a release's compose file; `refused` is what hosts say of it.

    What both the hosts and the program refuse is said once, with the mend.
    """
    compose, services = spec["compose"], settings.services.values()
    front, data = front_network(settings.stack), data_network(settings.stack)
    own = _own_problems(
        compose,
        drain_seconds={service.compose_service: service.drain_timeout_seconds for service in services},
        networks=frozenset({front, data}),
    )
    own += unreached(compose, services=[s.compose_service for s in services if s.role == "web"], network=front)
    own += missing_values(compose, spec["secret_names"])
    own += shared_addresses(compose)
    if settings.core:
        own += unmade_volumes(compose, [data_volume(settings.stack, volume) for volume in settings.core.volumes])
    paths = {_path(problem).partition("[")[0] for problem in refused}
    return [
        *(f"{problem}; {mend_of(_path(problem))}" for problem in refused),
        *(problem for problem in own if _path(problem).partition("[")[0] not in paths),
    ]


def _core_problems(settings: Settings, template: Mapping[str, Any]) -> list[str]:
    """Return what stands against the compose file of the data services."""
    assert settings.core is not None  # noqa: S101 - asked by the caller
    images = dict.fromkeys(settings.core.images, UNKNOWN.pinned)
    rendered = render_core(settings.stack, template, images, settings.core)
    return _own_problems(rendered, drain_seconds={}, networks=frozenset({data_network(settings.stack)}))


def _own_problems(
    document: Mapping[str, Any], *, drain_seconds: Mapping[str, float], networks: frozenset[str]
) -> list[str]:
    """Return the breaches of the program's own rules (see `compose_problems`), with a mend where there is one."""
    breaches = compose_problems(document, drain_seconds=drain_seconds, networks=networks)
    mends = [mend_of(_path(problem), default="") for problem in breaches]
    mended = [f"{problem}; {mend}" if mend else problem for problem, mend in zip(breaches, mends, strict=True)]
    return [*mended, *missing_parts(document)]


def _path(problem: str) -> str:
    """Return the path of a problem."""
    return problem.partition(": ")[0]
