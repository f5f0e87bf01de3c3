"""What is wrong with a stack or its surroundings is said clearly, before anything is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.first import TWO_AGENTS
from tests.support.host_view import views

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import UpResult, World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

TAIL_LINES = 20


def _refused(world: World, result: UpResult, before: dict[str, Any], *words: str) -> None:
    """Assert a clear error in the last lines, no traceback, and a host that is as it was."""
    assert not result.good
    tail = result.tail(TAIL_LINES)
    assert all(word in tail for word in words), tail
    assert "Traceback" not in result.output, tail
    assert _state(world) == before


def _state(world: World) -> dict[str, Any]:
    (view,) = views(world)
    status = view.status()
    return {
        "status": {key: status[key] for key in ("serving", "current", "candidate", "previous", "parked", "phase")},
        "containers": sorted(view.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").splitlines()),
    }


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param({"image_tag": "v0.0.0-not-there"}, ("v0.0.0-not-there", "mend:"), id="missing tag"),
        pytest.param({"image_tag": "latest"}, ("latest", "image_tag"), id="latest"),
        pytest.param(
            {"rollout": {"strategy": "recreate", "confirm_timeout_seconds": -1}, "no_such_key": 1},
            ("rollout.strategy", "rollout.confirm_timeout_seconds", "no_such_key"),
            id="malformed stack file",
        ),
        pytest.param(
            {"rollout": {"strategy": "canary", "canary": {"steps": [50, 20]}}},
            ("rollout.canary.steps", "must rise"),
            id="weights that do not rise",
        ),
    ],
)
def test_a_bad_stack_file_changes_nothing(
    world: World, first: FirstRelease, overrides: dict[str, Any], words: tuple[str, ...]
) -> None:
    """A stack that cannot be meant is refused with every problem's path."""
    before = _state(world)
    world.configure(overrides)
    try:
        result = world.up()
    finally:
        world.configure(TWO_AGENTS)
    _refused(world, result, before, *words)


def test_a_wrong_registry_password_changes_nothing(world: World, first: FirstRelease) -> None:
    """A password that the registry refuses is named as that."""
    before = _state(world)
    world.environment["LOCAL_REGISTRY_PASSWORD"] = "not-the-password"
    try:
        result = world.up()
    finally:
        del world.environment["LOCAL_REGISTRY_PASSWORD"]
    _refused(world, result, before, "mend:")
    assert "not-the-password" not in result.output


def test_after_the_mend_the_same_command_converges(world: World, first: FirstRelease) -> None:
    """Once everything is as it was, an update has nothing to do."""
    world.configure(TWO_AGENTS)
    result = world.up()
    assert result.good, result.tail()
