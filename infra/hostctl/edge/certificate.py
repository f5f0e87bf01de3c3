"""The TLS certificate: placed atomically, and given to the running HAProxy without a reload."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import HostctlError
from ..files import PRIVATE, write_atomic
from .config import CERTIFICATE

if TYPE_CHECKING:
    from .control import Edge
    from .files import EdgeFiles

LONGEST_COMMAND = 15000
"""Characters that HAProxy takes in one command: its buffer has 16384 bytes, and a certificate may come with a chain."""


def place_certificate(files: EdgeFiles, pem: str | None, source: str | None) -> bool:
    """Write the certificate where HAProxy reads it; return whether it is another one than before.

    With another one the edge's set-up is begun: who is cut off before HAProxy has it does not believe that it has.
    """
    text = pem if pem is not None else _read(source) if source is not None else None
    if text is None:
        return False
    if "-----BEGIN CERTIFICATE-----" not in text or "PRIVATE KEY-----" not in text:
        raise HostctlError("certificate_invalid", "the PEM must have a certificate and a private key")
    text = text.strip() + "\n"
    if files.certificate.exists() and files.certificate.read_text(encoding="utf-8", errors="replace") == text:
        return False
    _check(files.certificate.with_name("checked-edge.pem"), text)
    files.begin_again()
    write_atomic(files.certificate, text, mode=PRIVATE)
    return True


def _check(path: Path, text: str) -> None:
    """Raise `certificate_invalid` unless certificate and key belong together, tried in a file that HAProxy never reads.

    One that HAProxy cannot load would stop every release from here on, and the edge itself at its next start.
    """
    try:
        write_atomic(path, text, mode=PRIVATE)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path, password="")  # never asks for a passphrase
    except ssl.SSLError as error:
        reason = (error.reason or "no certificate or key that can be read").replace("_", " ").lower()
        raise HostctlError("certificate_invalid", f"the PEM cannot be used: {reason}") from None
    finally:
        path.unlink(missing_ok=True)


def put_into_haproxy(edge: Edge) -> None:
    """Replace the certificate in the running HAProxy, by a reload if it is long; connections that are open go on."""
    pem = "\n".join(line for line in edge.files.certificate.read_text(encoding="utf-8").splitlines() if line.strip())
    command = f"set ssl cert {CERTIFICATE} <<\n{pem}\n\n"
    if len(command.encode()) > LONGEST_COMMAND:
        edge.load_committed()
        return
    edge.transact(command, expected="Transaction created")
    edge.transact(f"commit ssl cert {CERTIFICATE}", expected="Success!")


def _read(source: str) -> str:
    """Return the text of a certificate file on the host."""
    try:
        return Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HostctlError("certificate_invalid", f"{source} cannot be read: {error}") from error
