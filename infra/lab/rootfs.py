"""The Debian base image, made on this machine by debootstrap and kept for all checkouts."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.errors import ToolError
from infra.lab.docker import docker
from infra.lab.mirror import read_mirror
from infra.toolchain.lock import exclusive
from infra.toolchain.places import find

if TYPE_CHECKING:
    from infra.lab.mirror import Mirror
    from infra.toolchain.progress import Progress

SUITE = "trixie"
DEBOOTSTRAP_SECONDS = 900.0
WORK_PREFIX = "debootstrap-"
_EMPTIED = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale")


def bootstrap_command(target: Path, mirror: Mirror) -> tuple[str, ...]:
    """Return the debootstrap command that fills `target`."""
    return ("debootstrap", "--variant=minbase", SUITE, str(target), mirror.archive)


def import_base(image: str, key: str, overlay: Path, progress: Progress) -> None:
    """Give docker the Debian base as `image`, from the cache or made anew; `key` names the recipe."""
    folder = find().cache / "lab"
    archive = folder / f"debian-{SUITE}-{key}.tar"
    with exclusive(folder / "debian.lock", on_wait=lambda pid: progress.say(f"base image: waiting for process {pid}")):
        if not archive.exists():
            _require_debootstrap(progress)
            with progress.work("image debian:trixie-slim", "making it with debootstrap"):
                _make_archive(archive, overlay)
        docker("import", "--change", 'CMD ["bash"]', str(archive), image, timeout_seconds=300)


def remove_archives() -> None:
    """Remove the bases kept for all checkouts."""
    for archive in (find().cache / "lab").glob(f"debian-{SUITE}-*.tar"):
        archive.unlink(missing_ok=True)


def _require_debootstrap(progress: Progress) -> None:
    """See to it that debootstrap can run here."""
    mend = "run `acp-release lab images` once as root; what it makes serves every user of this docker engine"
    if os.geteuid() != 0:
        raise ToolError("making base images needs root", mend=mend)
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise ToolError("debootstrap is not installed", mend="install debootstrap, then run this again")
    lock = ("-o", "DPkg::Lock::Timeout=300")
    with progress.work("debootstrap", "installing it"):
        run(("apt-get", *lock, "update"), timeout_seconds=600)
        run(("apt-get", *lock, "install", "--yes", "--no-install-recommends", "debootstrap"), timeout_seconds=600)


def _make_archive(archive: Path, overlay: Path) -> None:
    """Make the root file system and pack it into `archive`, which appears only when complete."""
    mirror = read_mirror()
    for left in archive.parent.glob(f"{WORK_PREFIX}*"):
        _remove_interrupted(left)
    with tempfile.TemporaryDirectory(prefix=WORK_PREFIX, dir=archive.parent) as temporary:
        target = Path(temporary) / "rootfs"
        # A mode of 0755 for the root folder matters: it becomes `/` of every container.
        target.mkdir(mode=0o755)
        run(bootstrap_command(target, mirror), timeout_seconds=DEBOOTSTRAP_SECONDS)
        shutil.copytree(overlay, target, dirs_exist_ok=True)
        (target / "usr/sbin/policy-rc.d").chmod(0o755)
        (target / "etc/apt/sources.list").write_text(mirror.sources_list(SUITE), encoding="utf-8")
        inside = ("chroot", str(target), "env", "DEBIAN_FRONTEND=noninteractive")
        run((*inside, "apt-get", "update"), timeout_seconds=300)
        run((*inside, "apt-get", "--yes", "dist-upgrade"), timeout_seconds=600)
        for folder in _EMPTIED:
            _empty(target / folder)
        (target / "etc/resolv.conf").write_text("", encoding="utf-8")
        (target / "etc/hostname").unlink(missing_ok=True)
        packed = Path(temporary) / "packed.tar"
        run(("tar", "--numeric-owner", "-C", str(target), "-cf", str(packed), "."), timeout_seconds=300)
        packed.replace(archive)


def _remove_interrupted(work: Path) -> None:
    """Remove what a run that was killed left; debootstrap may have left file systems mounted in it."""
    for mounted in ("rootfs/proc", "rootfs/sys"):
        run(("umount", "--lazy", str(work / mounted)), timeout_seconds=30, check=False)
    shutil.rmtree(work)


def _empty(folder: Path) -> None:
    """Remove all files in `folder`; its folders stay, programs expect them."""
    for path in folder.rglob("*"):
        if path.is_file() or path.is_symlink():
            path.unlink()
