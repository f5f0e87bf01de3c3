"""Destroying a stack leaves nothing of it but the protected data, and says how to remove that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.first import stack_outputs
from tests.support.host_view import views
from tests.support.world import STACK

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_destroy_removes_everything_but_the_data(world: World, first: FirstRelease) -> None:
    """`pulumi destroy --exclude-protected` leaves the volumes, and no container, network or hostctl file."""
    (view,) = views(world)
    last = world.up()  # what the tests before left may be another release than the stack file says
    assert last.good, last.tail(40)
    result = world.pulumi(
        "destroy", "--stack", "local", "--yes", "--exclude-protected", check=False, timeout_seconds=500
    )
    assert result.good, result.tail(40)
    assert view.docker("ps", "--all", "--quiet") == ""
    assert set(view.docker("network", "ls", "--format", "{{.Name}}").split()) == {"bridge", "host", "none"}
    volumes = view.docker("volume", "ls", "--format", "{{.Name}}").split()
    assert {"acp-local-postgres", "acp-local-redis"} <= set(volumes)
    assert "protected" in result.output


def test_the_same_release_is_made_anew_after_it(world: World, first: FirstRelease) -> None:
    """The record outlives the hosts; a release that is in both again is anchored in both, by a run of its own."""
    before = stack_outputs(world)["release_entry"]
    result = world.up()
    assert result.good, result.tail(40)
    after = stack_outputs(world)["release_entry"]
    assert after["release"] == before["release"]
    assert after["run_id"] != before["run_id"]
    found = world.command("audit", "verify", "--stack", STACK, "--json")
    assert found.good, found.output
