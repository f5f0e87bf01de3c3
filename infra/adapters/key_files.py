"""SSH keys from the environment to the files that OpenSSH needs, private to the user that runs this."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
TIMEOUT_SECONDS = 20.0


def install_key(path: Path, text: str, *, variable: str) -> bool:
    """Write a private key and its public half and return whether anything changed.

    Raises `SettingsError` when `text` is no private key, or another key is there already: it is never replaced.
    """
    content = text.strip() + "\n"
    if path.exists() and path.read_text(encoding="utf-8").strip() + "\n" != content:
        raise SettingsError(
            "the SSH keys", [f"{path} holds another key than {variable}"], mend="remove the file, or unset the variable"
        )
    changed = not path.exists()
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
    done = run(["ssh-keygen", "-y", "-P", "", "-f", str(path)], timeout_seconds=TIMEOUT_SECONDS, check=False)
    if done.exit_status != 0:
        if changed:
            path.unlink()
        raise SettingsError("the SSH keys", [f"{variable} is not a private SSH key without a passphrase"])
    path.with_name(f"{path.name}.pub").write_text(done.stdout, encoding="utf-8")
    return changed
