"""Deploy keys bound to hostctl in authorized_keys; every other line stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import HostctlError
from .files import PRIVATE, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDER_MODE = 0o700
KEY_TYPES = ("ssh-", "ecdsa-", "sk-")


def bound_line(key: str, ports: Sequence[int], executable: Path) -> str:
    """Return the line that lets `key` call hostctl and reach the verification ports, and nothing else."""
    options = ["restrict"]
    if ports:
        options.append("port-forwarding")
        options += [f'permitopen="127.0.0.1:{port}"' for port in ports]
    options.append(f'command="{executable} --deploy"')
    return f"{','.join(options)} {key.strip()}"


def rebind(text: str, keys: Sequence[str], ports: Sequence[int], executable: Path) -> str:
    """Return the text with exactly `keys` bound to `executable`; raise `key_conflict` for one that logs in freely."""
    wanted = {_blob(key) for key in keys}
    marker = f'command="{executable} --deploy"'
    kept = []
    for line in text.splitlines():
        if marker in line:
            continue
        if line.strip() and not line.lstrip().startswith("#") and wanted & set(line.split()):
            raise HostctlError(
                "key_conflict", "a deploy key is already in authorized_keys for something else", key=_blob(line)
            )
        kept.append(line)
    return "".join(f"{line}\n" for line in [*kept, *(bound_line(key, ports, executable) for key in keys)])


def bind_keys(path: Path, keys: Sequence[str], ports: Sequence[int], executable: Path) -> bool:
    """Write the bound keys; return whether the file changed."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = rebind(old, keys, ports, executable)
    if new == old:
        return False
    path.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    write_atomic(path, new, mode=PRIVATE)
    return True


def _blob(key: str) -> str:
    """Return the part of a key that tells it from others."""
    words = key.split()
    return next((words[index + 1] for index, word in enumerate(words[:-1]) if word.startswith(KEY_TYPES)), words[-1])
