"""Pulumi's own archive, where it can be reached.

It is taken only if the checksum that another origin publishes (the project's release page) agrees with what the
download server sent. k6, Trivy and actionlint publish both in one place, so an archive of theirs proves nothing that a
pinned go.sum does not prove better: those are always built.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain.errors import SetupError
from infra.toolchain.versions import PULUMI

if TYPE_CHECKING:
    from infra.toolchain.versions import GoTool

SWITCH = "ACP_VENDOR_DOWNLOADS"  # "never" keeps set-up away from vendors' servers
CONNECT_SECONDS = 4
FETCH_SECONDS = 120
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}
CHECKSUMS = f"https://github.com/pulumi/pulumi/releases/download/v{PULUMI}/pulumi-{PULUMI}-checksums.txt"
SERVED = "pulumi"  # the tool that the archive has, with its language hosts


def archive_name() -> str:
    """Return the name of the archive for this machine."""
    return f"pulumi-v{PULUMI}-linux-{MACHINES.get(platform.machine(), platform.machine())}.tar.gz"


def archive_url() -> str:
    """Return where the archive is."""
    return f"https://get.pulumi.com/releases/sdk/{archive_name()}"


@functools.cache
def reachable() -> bool:
    """Tell whether both origins answer; asked once, with a short limit, as a closed network just swallows packets."""
    if os.environ.get(SWITCH) == "never":
        return False
    try:
        for url in (archive_url(), CHECKSUMS):
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_SECONDS):  # noqa: S310 - fixed https addresses
                pass
    except OSError:
        return False
    return True


def expected_digest(checksums: str, name: str) -> str:
    """Return the SHA-256 of the file `name` in a list of `<digest>  <name>` lines."""
    for line in checksums.splitlines():
        digest, _, listed = line.strip().partition(" ")
        if listed.strip().lstrip("*") == name:
            return digest.lower()
    raise SetupError(f"the vendor publishes no checksum for {name}")


def unpack(archive: Path, target: Path, tool: GoTool) -> None:
    """Move the files of the archive's one folder to `target`, refusing any that leads out of it."""
    unpacked = target.parent / "unpacked"
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(unpacked, filter="data")
        (unpacked / "pulumi").rename(target)
    except (tarfile.TarError, OSError) as error:
        raise SetupError(f"the vendor's archive cannot be unpacked ({error})") from error
    shutil.rmtree(unpacked)
    lacking = [name for name in tool.executables if not (target / name).exists()]
    if lacking:
        raise SetupError(f"the vendor's archive has no {', '.join(lacking)}")


def fetch(tool: GoTool, place: Path) -> None:
    """Put the tool into the folder `place`; raise `SetupError` when the download fails or is not what it should be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=place.parent) as made:
        folder = Path(made) / "result"
        folder.mkdir()
        archive = folder.parent / archive_name()
        try:
            checksums = _read(CHECKSUMS).decode()
            _download(archive_url(), archive)
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError(f"the vendor's archive could not be fetched ({error})") from error
        with archive.open("rb") as source:
            found = hashlib.file_digest(source, "sha256").hexdigest()
        if found != expected_digest(checksums, archive.name):
            raise SetupError("the vendor's archive is not the one whose checksum the project publishes")
        unpack(archive, folder / "bin", tool)
        (folder / "complete").touch()
        shutil.rmtree(place, ignore_errors=True)
        folder.rename(place)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - a fixed https address
        return bytes(answer.read())


def _download(url: str, target: Path) -> None:
    with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer, target.open("wb") as sink:  # noqa: S310 - as above
        shutil.copyfileobj(answer, sink)
