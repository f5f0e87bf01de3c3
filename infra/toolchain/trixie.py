"""Packages of the next Debian release, fetched through apt with its signatures checked, without upgrading anything.

apt works in a folder of its own that knows that one release only; the system's package lists stay as they are. The
mirror's address is the one that this machine's own sources use.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import apt
from infra.toolchain.errors import SetupError
from infra.toolchain.process import ask, do
from infra.toolchain.versions import TRIXIE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
FETCH_SECONDS = 600
MEND = "install Docker's compose and buildx plugins by hand, or let apt reach a Debian mirror"


def debian_mirror() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    argv = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)",
        "Created-By: Packages",
    ]
    mirror = pick_mirror(ask(argv) or "")
    if mirror is None:
        raise SetupError("apt's sources name no Debian archive", mend=MEND)
    return mirror


def pick_mirror(targets: str) -> str | None:
    """Return the first main archive of Debian itself (not of its security team) in apt's list of index targets."""
    for line in targets.splitlines():
        origin, label, component, address = line.split("|", 3)
        if (origin, label, component) == ("Debian", "Debian", "main"):
            return address
    return None


def options(folder: Path, mirror: str) -> Iterator[str]:
    """Yield apt's settings for a folder of its own, and write the one source that is in them."""
    source = folder / "release.list"
    source.write_text(f"deb [signed-by={KEYRING}] {mirror} {TRIXIE} main\n")
    (folder / "none").mkdir()
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    yield from (
        f"Dir::Etc::SourceList={source}",
        f"Dir::Etc::SourceParts={folder / 'none'}",
        f"Dir::Etc::PreferencesParts={folder / 'none'}",
        f"Dir::State::Lists={folder / 'lists'}",
        f"Dir::Cache={folder / 'cache'}",
        "Acquire::Languages=none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        "APT::Sandbox::User=root",  # the folder is private; apt's own user could not write to it
    )


def install(packages: Sequence[str], log: Path) -> None:
    """Install `packages` of that release; what they depend on may only come from this machine's own sources."""
    if not KEYRING.exists():
        raise SetupError(f"not to be had from this machine's sources: {', '.join(packages)}", mend=MEND)
    with tempfile.TemporaryDirectory(prefix="acp-apt-", dir="/var/tmp") as made:
        folder = Path(made)
        settings = [word for option in options(folder, debian_mirror()) for word in ("-o", option)]
        env = apt.environment()
        do(["apt-get", *settings, "update"], timeout_seconds=FETCH_SECONDS, log=log, env=env, mend=MEND)
        fetch = ["apt-get", *settings, "download", *packages]
        do(fetch, timeout_seconds=FETCH_SECONDS, log=log, env=env, cwd=folder, mend=MEND)
        apt.install([str(path) for path in sorted(folder.glob("*.deb"))], log)
