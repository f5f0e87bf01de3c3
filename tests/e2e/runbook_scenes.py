"""What has happened before a block of the runbook is run, by the name that its mark has."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from typing import TYPE_CHECKING

from infra.domain.naming import project_name
from infra.domain.rollback import default_target
from infra.lab.docker import docker
from infra.lab.hosts import volumes
from tests.e2e.first import stack_outputs
from tests.support.host_view import BASE, views
from tests.support.world import QUICK_SECONDS, STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.lab.machine import Machine
    from tests.support.world import World

NEW_KEY = "acp_new_deploy"


def _release(world: World) -> None:
    """Have a release to go back from."""
    if default_target(stack_outputs(world).get("history") or []) is None:
        world.configure({"environment": {"RUNBOOK_TEST": str(time.time_ns())}})
        result = world.up()
        assert result.good, result.tail()


def _stopped_container(world: World) -> None:
    """Have a container that somebody stopped."""
    views(world)[0].docker("stop", f"{project_name(stack_outputs(world)['release'])}-agents-1")


def _edited_edge(world: World) -> None:
    """Have routes that somebody edited."""
    views(world)[0].sh(f"echo '# by hand' >> {BASE}/edge/config/committed.cfg")


def _removed_service(world: World) -> None:
    """Have a data service without a container."""
    views(world)[0].docker("rm", "--force", "acp-core-redis-1")


def _new_deploy_key(world: World) -> None:
    """Have the key that the block before made as the stack's deploy key."""
    for suffix in ("", ".pub"):
        shutil.copy(key_folder(world) / f"{NEW_KEY}{suffix}", world.lab.keys / f"deploy{suffix}")


def _another_secret(world: World) -> None:
    """Have another value exported."""
    world.environment["LOCAL_SECRET_KEY"] = f"rotated{secrets.token_hex(16)}"


def _lost_state(world: World) -> None:
    """Have a backend that knows nothing of the stack."""
    shutil.rmtree(world.path / ".pulumi" / "stacks")


def _lost_host(world: World) -> None:
    """Have an empty machine in the place of the host, under the same address."""
    (machine,) = world.machines
    _take_away(machine)
    world.lab_up()


def _take_away(machine: Machine) -> None:
    """Let a machine be gone with its disks."""
    docker("rm", "--force", machine.container, timeout_seconds=QUICK_SECONDS)
    docker("volume", "rm", *volumes(machine.plan, machine.index), timeout_seconds=QUICK_SECONDS)


@contextlib.contextmanager
def _host_gone(world: World) -> Iterator[None]:
    """Have a second host that was taken out of the stack when its machine was gone already."""
    world.lab_up(hosts=2)
    try:
        joined = world.up()
        assert joined.good, joined.tail()
        _take_away(world.machines[1])
        world.take_out_hosts(keep=1)
        assert not world.up().good, "what was on the machine that is gone was removed"
        yield
    finally:
        world.lab_up(hosts=1)


@contextlib.contextmanager
def without_registry(world: World) -> Iterator[None]:
    """Let the registry be down while the block runs."""
    _release(world)
    registry = world.machines[0].plan.container("registry")
    docker("stop", registry)
    try:
        yield
    finally:
        docker("start", registry)
        world.lab_up()


def key_folder(world: World) -> Path:
    """Return the folder in which new keys are made."""
    folder = world.folder / "keys"
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def _new_folder(world: World) -> Iterator[None]:
    """Have no key of that name yet."""
    for path in key_folder(world).iterdir():
        path.unlink()
    yield


def _before(prepare: Callable[[World], None]) -> Callable[[World], contextlib.AbstractContextManager[None]]:
    """Return a scene that is prepared once, before the block."""

    @contextlib.contextmanager
    def scene(world: World) -> Iterator[None]:
        prepare(world)
        yield

    return scene


IN_NEW_FOLDER = "in a new folder"
ON_THE_HOST = "on the host"
SCENES: dict[str, Callable[[World], contextlib.AbstractContextManager[None]]] = {
    "": lambda _world: contextlib.nullcontext(),
    ON_THE_HOST: lambda _world: contextlib.nullcontext(),
    IN_NEW_FOLDER: _new_folder,
    "after a release": _before(_release),
    "after a stopped container": _before(_stopped_container),
    "after an edited edge": _before(_edited_edge),
    "after a removed data service": _before(_removed_service),
    "after a lost state": _before(_lost_state),
    "after a lost host": _before(_lost_host),
    "after a host that is gone": _host_gone,
    "with the new deploy key": _before(_new_deploy_key),
    "with another SECRET_KEY": _before(_another_secret),
    "without a registry": without_registry,
}

STAND_INS = {"production": STACK, "p1-": "h1-", "p2-": "h2-"}
"""What the runbook's stack and hosts are called in the lab."""
