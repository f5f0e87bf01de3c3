"""Raw signatures by an SSH key, for formats that are not OpenSSH's own."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from infra.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def sign_raw(content: bytes, key_file: Path) -> tuple[str, bytes]:
    """Return the fingerprint of an Ed25519 key (as `ssh-keygen -l` shows it) and its signature of `content`."""
    try:
        key = load_ssh_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError("the signing key", [f"{key_file.name}: {type(error).__name__}: not usable"]) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError("the signing key", [f"{key_file.name}: must be an Ed25519 key"])
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1]
    fingerprint = base64.b64encode(hashlib.sha256(base64.b64decode(public)).digest()).decode().rstrip("=")
    return f"SHA256:{fingerprint}", key.sign(content)
