"""Building of the zipapp on the runner: the same bytes from the same source, under a version that covers them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.hostctl.version import SEMANTIC

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).parent
SHEBANG = b"#!/usr/bin/env python3\n"
EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644 << 16
EXECUTABLE = 0o755
NOT_PACKED = {"build.py"}
ENTRY = """\
import os
import sys

if os.environ.get("SSH_ORIGINAL_COMMAND") == "hostctl --hold":
    sys.stdin.buffer.read()  # what only keeps a connection open loads nothing
    sys.exit()

from pathlib import Path

# Where `install` has put compiled modules, they are used: see unpack.py.
sys.path.insert(0, str(Path(sys.argv[0]).resolve().with_name("lib")))

from hostctl.cli import main

sys.exit(main())
"""
HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Zipapp:
    """A built hostctl."""

    path: Path
    version: str
    sha256: str


def build_zipapp(folder: Path, *, extra: Mapping[str, str] | None = None, entry: str = ENTRY) -> Zipapp:
    """Write `hostctl-<version>.pyz` into `folder`; tests may add modules and another entry."""
    files = {f"hostctl/{path.relative_to(SOURCE).as_posix()}": path.read_bytes() for path in _sources()}
    files["__main__.py"] = entry.encode()
    files |= {name: text.encode() for name, text in (extra or {}).items()}
    digest = hashlib.sha256(b"".join(name.encode() + b"\0" + files[name] + b"\0" for name in sorted(files))).hexdigest()
    version = f"{SEMANTIC}-{digest[:HASH_CHARACTERS]}"
    files["hostctl/VERSION"] = f"{version}\n".encode()
    content = SHEBANG + _zip(files)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"hostctl-{version}.pyz"
    path.write_bytes(content)
    path.chmod(EXECUTABLE)
    return Zipapp(path=path, version=version, sha256=hashlib.sha256(content).hexdigest())


def _sources() -> list[Path]:
    """Return the modules that go into the zipapp."""
    return sorted(path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).as_posix() not in NOT_PACKED)


def _zip(files: Mapping[str, bytes]) -> bytes:
    """Return a zip archive without anything that changes from build to build."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = FILE_MODE
            archive.writestr(entry, files[name])
    return buffer.getvalue()
