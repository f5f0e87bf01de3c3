"""A value planted in every secret is found nowhere but where containers have their environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.adapters.process import run

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

SEARCH_SECONDS = 300.0
NOT_A_DISK = ("proc", "sys", "dev")
# Docker's own files: on disk the configuration of each container, in memory what runc is handed for a process.
CONTAINERD = "/var/lib/docker/containerd/daemon/io.containerd.metadata"
"""Where Docker's containerd keeps the configuration of the containers that run."""
CONTAINER_CONFIG = ("/var/lib/docker/containers/", CONTAINERD, "/run/", "/var/run/", "/tmp/runc-process")  # noqa: S108 - a prefix


def _found(argv: list[str], patterns: list[str]) -> list[str]:
    """Return the files that a recursive grep finds one of `patterns` in; the patterns go in by standard input."""
    done = run(argv, timeout_seconds=SEARCH_SECONDS, stdin="\n".join(patterns) + "\n", check=False)
    assert done.exit_status in {0, 1, 2}, done.stderr
    return done.stdout.splitlines()


def _grep(*places: str) -> list[str]:
    excluded = [f"--exclude-dir={name}" for name in NOT_A_DISK]
    return ["grep", "-rlaF", "-f", "-", *excluded, *places]


def test_no_secret_is_in_an_argument_list_or_in_any_output(first: FirstRelease, planted: dict[str, str]) -> None:
    """While a release is made no process has a secret among its arguments, and nothing prints one."""
    assert first.exposed == frozenset()
    assert [name for name, value in planted.items() if value in first.result.output] == []


def test_no_secret_is_in_checkout_state_or_temporary_files(
    world: World, first: FirstRelease, planted: dict[str, str]
) -> None:
    """Checkout, Pulumi's state and history, temporary files and Docker's client settings have no secret in them."""
    places = [world.path, world.temporary, world.folder / "up.log", Path.home() / ".docker"]
    existing = [str(place) for place in places if place.exists()]
    argv = _grep("--exclude-dir=.git", *existing)
    assert _found(argv, list(planted.values())) == []


def test_no_secret_is_on_a_host_outside_of_container_configuration(
    world: World, first: FirstRelease, planted: dict[str, str]
) -> None:
    """A host's disk, with image layers and writable layers, has secrets only in Docker's own configuration."""
    (machine,) = world.machines
    argv = ["docker", "exec", "--interactive", machine.container, *_grep("/")]
    found = [path for path in _found(argv, list(planted.values())) if not path.startswith(CONTAINER_CONFIG)]
    assert found == []
