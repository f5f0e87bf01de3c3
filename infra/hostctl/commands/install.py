"""`install`: put this hostctl in its place and bind the deploy keys to it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..authorized_keys import bind_keys
from ..clearance import set_signers
from ..errors import HostctlError
from ..files import link_atomic
from ..spec import MOST_PORT
from ..unpack import unpack
from ..version import version

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

KEY = r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?"
KEPT_VERSIONS = 3
EXECUTABLE = 0o755


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Copy, switch the link, bind the keys; all of it again changes nothing."""
    is_binding = fields.has("deploy_keys")
    keys = fields.texts("deploy_keys", optional=True, pattern=KEY, hint="must be an OpenSSH public key")
    is_signing = fields.has("signers")
    signers = fields.texts("signers", optional=True, pattern=KEY, hint="must be an OpenSSH public key")
    ports = fields.integers("permit_ports", optional=True, least=1, most=MOST_PORT)
    fields.done()
    source = Path(sys.argv[0]).resolve()
    if source.suffix != ".pyz":
        raise HostctlError(
            "unsupported_host",
            "install runs from the built hostctl, not from its source",
            mend="build it with infra.hostctl.build",
        )
    changed = _place(host, source)
    changed = unpack(host.paths.versions / version() / "hostctl.pyz") or changed
    if is_binding:
        changed = bind_keys(Path.home() / ".ssh" / "authorized_keys", keys, ports, host.paths.executable) or changed
    if is_signing:
        changed = set_signers(host.paths, signers) or changed
    if changed:
        host.journal.note("install", "installed", version=version(), deploy_keys=len(keys))
    return {
        "version": version(),
        "path": str(host.paths.executable),
        "base_dir": str(host.paths.base),
        "changed": changed,
        "deploy_keys": len(keys),
    }


def _place(host: Host, source: Path) -> bool:
    """Copy the file under its version and make the link point to it; return whether anything changed."""
    target = host.paths.versions / version() / "hostctl.pyz"
    link = host.paths.executable
    wanted = f"../hostctl/{version()}/hostctl.pyz"
    is_placed = target.exists() and target.read_bytes() == source.read_bytes()
    if not is_placed:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(".hostctl.pyz")
        shutil.copyfile(source, temporary)
        temporary.chmod(EXECUTABLE)
        temporary.replace(target)
    if is_placed and link.is_symlink() and str(link.readlink()) == wanted:
        return False
    link_atomic(link, wanted)
    _forget_old(host.paths.versions, target.parent)
    return True


def _forget_old(versions: Path, current: Path) -> None:
    """Remove all but the newest versions; a watchdog that runs from a removed one has it open already."""
    others = sorted(
        (path for path in versions.iterdir() if path.is_dir() and path != current),
        key=lambda path: path.stat().st_mtime,
    )
    for path in others[: max(0, len(others) - (KEPT_VERSIONS - 1))]:
        shutil.rmtree(path, ignore_errors=True)
