"""Faults of the lab that end with their block: a full disk, a cut network, a registry that is down."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from infra.errors import RegistryError, ToolError
from infra.lab import registry
from infra.lab.docker import docker
from infra.lab.folder import read_memory
from infra.lab.wait import comes_true

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.lab.folder import LabFolder
    from infra.lab.machine import Machine

ROOM_BYTES = 256 * 1024
REGISTRY_SECONDS = 30.0


def _work(path: str) -> str:
    """Return where the file system that stands in for `path` is mounted."""
    return "/tmp/full" + path.replace("/", "-")  # noqa: S108 - on the machine, of which only the test is root


def full_disk_script(path: str, spare_bytes: int) -> str:
    """Return a shell script that moves `path`, a file or folder, to a file system with only `spare_bytes` free."""
    return f"""set -e
work={_work(path)} used=$(du -s -B1 {path} | cut -f1)
mkdir "$work"
mount -t tmpfs -o size=$((used + {spare_bytes} + {ROOM_BYTES})) full "$work"
cp -a {path} "$work/copy"
free=$(df -B1 --output=avail "$work" | tail -1)
head -c $((free - {spare_bytes})) /dev/zero >"$work/filler"
mount --bind "$work/copy" {path}
"""


def free_disk_script(path: str) -> str:
    """Return a shell script that undoes `full_disk_script`; what was changed meanwhile is changed in place."""
    # In place, since a container may have the folder mounted: a new folder of the same name would not be seen by it.
    return f"""set -e
work={_work(path)}
umount {path}
find {path} -mindepth 1 -depth ! -type s | while read -r old; do
    new="$work/copy${{old#{path}}}"
    [ -e "$new" ] || [ -L "$new" ] || rm -r "$old"
done
[ ! -d "$work/copy" ] || find "$work/copy" -type s -delete
cp -aT "$work/copy" {path}
umount "$work"
rmdir "$work"
"""


@contextlib.contextmanager
def full_disk(machine: Machine, path: str, *, spare_bytes: int = 0) -> Iterator[None]:
    """Leave `spare_bytes` free for `path`, a file or folder, while the block runs; what could be written stays.

    `/var/lib/docker/tmp` makes every pull fail, hostctl's journal file makes every journal entry fail. Sockets in a
    folder are out of reach meanwhile, and a file cannot be replaced by a rename.
    """
    machine.exec(("sh", "-c", full_disk_script(path, spare_bytes)))
    try:
        yield
    finally:
        machine.exec(("sh", "-c", free_disk_script(path)))


@contextlib.contextmanager
def registry_down(folder: LabFolder) -> Iterator[None]:
    """Stop the lab's registry while the block runs, and wait until it answers again."""
    memory = read_memory(folder)
    if memory is None:
        raise ToolError("this checkout has no lab", where=str(folder.path), mend="run `acp-release lab up`")
    container = memory.plan.container("registry")
    docker("stop", "--time", "1", container)
    try:
        yield
    finally:
        docker("start", container)
        if not comes_true(lambda: registry.answers(folder, memory.plan), within_seconds=REGISTRY_SECONDS):
            raise RegistryError(
                "the registry did not come back", where=container, mend=f"see `docker logs {container}`"
            )


@contextlib.contextmanager
def cut_off(machine: Machine) -> Iterator[None]:
    """Drop every packet to and from the machine while the block runs; it goes on working."""
    # The engine writes its own rules into FORWARD, so containers are cut in the raw table, before all of that.
    rules = (("PREROUTING", "-i", "eth0"), ("OUTPUT", "-o", "eth0"))
    for chain, flag, interface in rules:
        machine.exec(("iptables", "-t", "raw", "-I", chain, flag, interface, "-j", "DROP"))
    try:
        yield
    finally:
        for chain, flag, interface in rules:
            machine.exec(("iptables", "-t", "raw", "-D", chain, flag, interface, "-j", "DROP"))
