"""`lab down`: remove everything the lab made on this machine."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from infra.errors import ToolError
from infra.lab import docker as engine
from infra.lab.engine import ensure_engine
from infra.lab.folder import LabFolder, read_memory
from infra.lab.images import remove_images
from infra.lab.plan import AddressPlan
from infra.lab.spec import LABEL_FOLDER, LABEL_LAB
from infra.lab.trust import distrust
from infra.toolchain.lock import exclusive

if TYPE_CHECKING:
    from infra.toolchain.progress import Progress


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
    labels = [f"{LABEL_FOLDER}={folder.path}", *_identity_label(folder)]
    with progress.work("lab", "removing it"):
        for kind in ("container", "volume", "network"):
            engine.remove(kind, {name for label in labels for name in engine.labelled(kind, label)})
        for plan in plans:
            engine.remove("image", [tag for tag in engine.image_ids() if tag.startswith(f"{plan.registry_server}/")])
        return [command for plan in plans for command in distrust(plan)]


def _identity_label(folder: LabFolder) -> list[str]:
    try:
        memory = read_memory(folder)
    except ToolError:
        memory = None
    return [f"{LABEL_LAB}={memory.identity}"] if memory else []


def _plans(folder: LabFolder) -> list[AddressPlan]:
    """Return the address plans the lab of `folder` has on this machine, judged by its networks."""
    names = set(engine.labelled("network", f"{LABEL_FOLDER}={folder.path}"))
    for label in _identity_label(folder):
        names.update(engine.labelled("network", label))
    return [AddressPlan(number=int(name.rsplit("-", 1)[1])) for name in sorted(names)]
