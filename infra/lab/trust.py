"""Trust of the build machine in the lab's authority: docker's and the system's store, both undone by `lab down`."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509

from infra.adapters.process import run
from infra.errors import ToolError
from infra.lab.folder import write_atomically
from infra.toolchain.lock import MACHINE, exclusive

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from infra.lab.plan import AddressPlan

DOCKER_CERTS = Path("/etc/docker/certs.d")
SYSTEM_CERTS = Path("/usr/local/share/ca-certificates")
LAB_SUBJECT = re.compile(r"CN=acp-lab-\d+ authority")
LOCK = MACHINE / "trust.lock"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def docker_file(plan: AddressPlan, folder: Path = DOCKER_CERTS) -> Path:
    """Return where docker looks for the authority of the lab's registry."""
    return folder / plan.registry_server / "ca.crt"


def system_file(plan: AddressPlan, folder: Path = SYSTEM_CERTS) -> Path:
    """Return where the system's store takes the lab's authority from."""
    return folder / f"{plan.network}.crt"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def trust(plan: AddressPlan, certificate: str, source: Path) -> None:
    """Make this machine trust the authority; raise `ToolError` with the commands to run when it may not."""
    in_docker = _read(docker_file(plan)) == certificate
    in_bundle = certificate.strip() in _read(BUNDLE)  # not so where an earlier update of the store failed
    in_system = _read(system_file(plan)) == certificate and in_bundle
    if in_docker and in_system:
        return
    if os.geteuid() != 0:
        commands = (
            f"sudo install -D -m 644 {source} {docker_file(plan)}"
            f" && sudo install -m 644 {source} {system_file(plan)} && sudo update-ca-certificates"
        )
        raise ToolError("this machine does not trust the lab's registry, and only root can change that", mend=commands)
    with _alone():
        replaced = _read(system_file(plan))
        for path in (docker_file(plan), system_file(plan)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(certificate, encoding="utf-8")
            path.chmod(0o644)
        _update_store(leaving=replaced)


def distrust(plan: AddressPlan) -> list[str]:
    """Take the authority out of both stores; return the commands left to run as root, empty when all is done."""
    present = [path for path in (docker_file(plan), system_file(plan)) if path.exists()]
    if not present:
        return []
    if os.geteuid() != 0:
        paths = f"{docker_file(plan).parent} {system_file(plan)}"
        return [f"sudo rm -rf {paths} && sudo update-ca-certificates --fresh"]
    with _alone():
        removed = _read(system_file(plan))
        for path in present:
            path.unlink()
        if docker_file(plan).parent.exists() and not any(docker_file(plan).parent.iterdir()):
            docker_file(plan).parent.rmdir()
        if removed:
            _remove_links(system_file(plan))
            _update_store(leaving=removed)
    return []


def _remove_links(source: Path) -> None:
    """Remove the links that update-ca-certificates made to `source` and, by default, leaves dangling."""
    own = BUNDLE.parent / f"{source.stem}.pem"
    for link in BUNDLE.parent.iterdir():
        if link.is_symlink() and str(link.readlink()) in {own.name, str(source)}:
            link.unlink()


def _alone() -> AbstractContextManager[object]:
    """Keep other labs of this machine from writing the system's bundle at the same time."""
    return exclusive(LOCK)


def _certificates(bundle: str) -> list[str]:
    """Return the certificates of a PEM bundle, in its order."""
    parts = bundle.split("-----END CERTIFICATE-----")
    return [f"{part.strip()}\n-----END CERTIFICATE-----\n" for part in parts if "-----BEGIN" in part]


def _update_store(*, leaving: str) -> None:
    """Write the system's bundle anew without `leaving`; keep what somebody added to the bundle by hand."""
    if not shutil.which("update-ca-certificates"):
        raise ToolError("update-ca-certificates is not installed", mend="install the package ca-certificates")
    before = _certificates(_read(BUNDLE))
    run(("update-ca-certificates",), timeout_seconds=120)
    present = {*_certificates(_read(BUNDLE)), *_certificates(leaving)}
    by_hand = [certificate for certificate in before if certificate not in present and not _is_of_a_lab(certificate)]
    if by_hand:
        write_atomically(BUNDLE, _read(BUNDLE) + "".join(by_hand), mode=0o644)


def _is_of_a_lab(certificate: str) -> bool:
    """Return whether a lab made the certificate: one that is gone must not stay trusted."""
    try:
        subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    except ValueError:
        return False
    return bool(LAB_SUBJECT.fullmatch(subject.rfc4514_string()))
