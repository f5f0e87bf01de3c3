from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from infra.adapters.process import run
from infra.adapters.ssh_key import sign_raw
from infra.errors import SettingsError
from infra.lab.keys import ensure_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signature_is_the_keys_and_named_by_its_fingerprint(tmp_path: Path) -> None:
    """Anybody can verify it with the public key; `ssh-keygen -l` shows the same fingerprint."""
    public = ensure_key(tmp_path / "key", "test")
    fingerprint, signature = sign_raw(b"content", tmp_path / "key")
    key = load_ssh_public_key(public.encode())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(signature, b"content")
    shown = run(["ssh-keygen", "-l", "-f", str(tmp_path / "key.pub")], timeout_seconds=10).stdout
    assert fingerprint in shown


def test_a_file_that_is_no_key_is_named_without_its_content(tmp_path: Path) -> None:
    """What is in it stays there."""
    (tmp_path / "key").write_text("s3cr3t", encoding="utf-8")
    with pytest.raises(SettingsError, match="key: ValueError: not usable") as caught:
        sign_raw(b"content", tmp_path / "key")
    assert "s3cr3t" not in str(caught.value)
