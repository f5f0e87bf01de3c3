"""Faults of a lab machine that end with their block: a full disk, a cut network."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.lab.machine import Machine

BLOCK_BYTES = 4096


def full_disk_script(folder: str, spare_bytes: int) -> str:
    """Return a shell script that puts a file system with only `spare_bytes` free in the place of `folder`."""
    return (
        f"set -e; work=$(mktemp -d /tmp/full-XXXXXX); used=$(du -s -B1 {folder} | cut -f1); "
        f"mount -t tmpfs -o size=$((used + {spare_bytes} + 64 * {BLOCK_BYTES})) full $work; "
        f"chown --reference={folder} $work; chmod --reference={folder} $work; cp -a {folder}/. $work/; "
        f"free=$(df -B1 --output=avail $work | tail -1); "
        f"head -c $((free - {spare_bytes})) /dev/zero > $work/.filler; mount --bind $work {folder}"
    )


def free_disk_script(folder: str) -> str:
    """Return a shell script that undoes `full_disk_script`, keeping what was written meanwhile."""
    return (
        f"set -e; rm -f {folder}/.filler; keep=$(mktemp -d /tmp/keep-XXXXXX); cp -a {folder}/. $keep/; "
        f"umount {folder}; find {folder} -mindepth 1 -delete; cp -a $keep/. {folder}/; rm -rf $keep; "
        "for work in /tmp/full-*; do umount $work; rmdir $work; done"
    )


@contextlib.contextmanager
def full_disk(machine: Machine, folder: str, *, spare_bytes: int = 0) -> Iterator[None]:
    """Leave `spare_bytes` free in `folder` while the block runs; what was written stays.

    `/var/lib/docker/tmp` makes every pull fail, the folder of hostctl's journal makes every journal entry fail.
    """
    machine.exec(("sh", "-c", full_disk_script(folder, spare_bytes)))
    try:
        yield
    finally:
        machine.exec(("sh", "-c", free_disk_script(folder)))


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
