"""Signatures by SSH keys: every host with an sshd can verify them with what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.errors import GateError, ToolError

if TYPE_CHECKING:
    from pathlib import Path

NAMESPACE = "acp-release"
TIMEOUT_SECONDS = 30.0


def sign(text: str, key_file: Path) -> str:
    """Return the signature of `text` by the private key (without passphrase, or held by ssh-agent)."""
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key_file), "-n", NAMESPACE]
    try:
        return run(argv, timeout_seconds=TIMEOUT_SECONDS, stdin=text).stdout
    except ToolError as error:
        raise GateError(
            "the release could not be signed", where=error.what, mend="check `gate.signing.release_key_file`"
        ) from None
