"""Bring a container to what its spec says, doing nothing when it is there already."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from infra.errors import ToolError
from infra.lab.docker import containers, docker, remove
from infra.lab.spec import LABEL_SPEC, ContainerSpec, run_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_SECONDS = 120.0


class Action(StrEnum):
    """What it takes to bring a container to its spec."""

    NOTHING = "nothing"
    START = "start"
    REPLACE = "replace"
    CREATE = "create"


def decide(spec: ContainerSpec, found: Mapping[str, Any] | None) -> Action:
    """Return what `spec` needs, given docker's description of the container of that name."""
    if found is None:
        return Action.CREATE
    if (found["Config"]["Labels"] or {}).get(LABEL_SPEC) != spec.fingerprint:
        return Action.REPLACE
    state = found["State"]
    if state["Running"] and not state["Paused"] and not state["Restarting"]:
        return Action.NOTHING
    # "created" is what a start that failed leaves, "dead" and "removing" what a removal that failed leaves.
    return Action.START if state["Status"] in {"exited", "running"} else Action.REPLACE


def converge(specs: Sequence[ContainerSpec], labels: Mapping[str, str]) -> dict[str, Action]:
    """Bring every container of `specs` to its spec; return what was done to each, by name."""
    found = containers([spec.name for spec in specs])
    done: dict[str, Action] = {}
    for spec in specs:
        action = decide(spec, found.get(spec.name))
        if action is Action.START and not _restart(spec.name):
            action = Action.REPLACE
        if action is Action.REPLACE:
            remove("container", [spec.name])
        if action in {Action.REPLACE, Action.CREATE}:
            _create(spec, labels)
        done[spec.name] = action
    return done


def _restart(name: str) -> bool:
    """Start a stopped or paused container; say whether that worked."""
    docker("unpause", name, check=False)
    return docker("start", name, timeout_seconds=START_SECONDS, check=False).exit_status == 0


def _create(spec: ContainerSpec, labels: Mapping[str, str]) -> None:
    """Make and start a container; a half-made one is removed again."""
    environment = {**os.environ, **spec.environment}
    try:
        docker(*run_arguments(spec, labels), timeout_seconds=START_SECONDS, env=environment)
    except ToolError as error:
        remove("container", [spec.name])
        mend = "free what it needs, then run `acp-release lab up` again"
        if "already allocated" in error.what or "already in use" in error.what:
            mend = "stop what listens on that port or address, then run `acp-release lab up` again"
        raise ToolError(f"{spec.name} did not start: {error.what}", mend=mend) from None
