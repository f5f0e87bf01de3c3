"""SSH keys of the lab: the setup and deploy keys of the stack, and the pinned key of each host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from infra.lab.folder import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC_FILE = 0o644


def ensure_key(path: Path, comment: str) -> str:
    """See to an ed25519 key at `path` (and `path`.pub); return the public key as `ssh-ed25519 AAAA…`, no comment."""
    public = path.with_name(f"{path.name}.pub")
    if not (path.exists() and public.exists()):
        key = Ed25519PrivateKey.generate()
        private_text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        public_text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        write_atomically(path, private_text)
        write_atomically(public, f"{public_text} {comment}\n", mode=PUBLIC_FILE)
    return " ".join(public.read_text(encoding="utf-8").split()[:2])
