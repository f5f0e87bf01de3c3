"""The installed hostctl as compiled modules: a zipapp compiles all of itself at every call."""

from __future__ import annotations

import compileall
import shutil
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "lib"
PACKAGE = "hostctl/"


def unpack(program: Path) -> bool:
    """Put the modules of the zipapp `program`, compiled, into `lib` beside it; return whether they were missing.

    The zipapp's own entry looks for that folder first, and works without it.
    """
    target = program.with_name(FOLDER)
    if target.is_dir():
        return False
    temporary = program.with_name(f".{FOLDER}")
    shutil.rmtree(temporary, ignore_errors=True)
    with zipfile.ZipFile(program) as archive:
        archive.extractall(temporary, [name for name in archive.namelist() if name.startswith(PACKAGE)])
    compileall.compile_dir(str(temporary), quiet=2)
    temporary.replace(target)
    return True
