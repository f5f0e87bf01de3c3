"""`lab down`: remove everything the lab made on this machine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra.errors import ToolError
from infra.lab import docker as engine
from infra.lab.engine import ensure_engine
from infra.lab.folder import LabFolder, Memory, read_memory
from infra.lab.images import remove_images
from infra.lab.plan import AddressPlan
from infra.lab.spec import LABEL_FOLDER, LABEL_LAB
from infra.lab.trust import distrust
from infra.toolchain.lock import exclusive

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress

KINDS = ("container", "volume", "network")


def down(folder: LabFolder, progress: Progress, *, images: bool) -> list[str]:
    """Remove the lab of `folder`, found by its memory or by its label; return what is left to do as root."""
    ensure_engine(progress)
    if folder.path.exists():
        with exclusive(folder.path / "lock", on_wait=lambda pid: progress.say(f"lab: waiting for process {pid}")):
            left = _remove(folder, progress)
            shutil.rmtree(folder.path)
    else:
        left = _remove(folder, progress)
    if images:
        with progress.work("images of the lab", "removing them"):
            remove_images()
    return left


def _remove(folder: LabFolder, progress: Progress) -> list[str]:
    """Remove containers, volumes, network, pushed tags and trust; the folder stays for the caller."""
    plans = _plans(folder)
    with progress.work("lab", "removing it"):
        for kind in KINDS:
            engine.remove(kind, {name for label in _labels(folder) for name in engine.labelled(kind, label)})
        for plan in plans:
            engine.remove("image", [tag for tag in engine.image_ids() if tag.startswith(f"{plan.registry_server}/")])
        return [command for plan in plans for command in distrust(plan)]


def remove_leftovers(folder: LabFolder, progress: Progress) -> list[str]:
    """Remove a lab of `folder` that lost its memory, say by `rm -r .lab`; return what is left to do as root."""
    found = any(engine.labelled(kind, f"{LABEL_FOLDER}={folder.path}") for kind in KINDS)
    return _remove(folder, progress) if found else []


def _memory(folder: LabFolder) -> Memory | None:
    """Return what the lab remembers; a damaged memory counts as none, since `down` is the way out of it."""
    try:
        return read_memory(folder)
    except ToolError:
        return None


def _labels(folder: LabFolder) -> list[str]:
    """Return the labels of which anything of this lab carries at least one."""
    memory = _memory(folder)
    identity = [f"{LABEL_LAB}={memory.identity}"] if memory else []
    return [f"{LABEL_FOLDER}={folder.path}", *identity]


def _plans(folder: LabFolder) -> list[AddressPlan]:
    """Return the address plans under which the lab of `folder` left something on this machine."""
    names = {name for label in _labels(folder) for name in engine.labelled("network", label)}
    plans = {AddressPlan(number=int(name.rsplit("-", 1)[1])) for name in names}
    memory = _memory(folder)
    if memory:
        plans.add(AddressPlan(number=memory.number))
    return sorted(plans, key=lambda plan: plan.number)
