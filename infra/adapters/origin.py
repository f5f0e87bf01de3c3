"""Where this run comes from: the user and machine, or the CI run; and the commit as git knows it."""

from __future__ import annotations

import getpass
import socket
from typing import TYPE_CHECKING

from infra.adapters.git import commit_facts
from infra.domain.origin import Origin, ci_origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_origin(environ: Mapping[str, str], root: Path, commit: str) -> Origin:
    """Return the origin of this run; `commit` is what the release's sources are from."""
    branch, committed_at = commit_facts(root, commit)
    here = {"who": getpass.getuser(), "source": socket.gethostname(), "branch": branch}
    return Origin(**{**here, **ci_origin(environ)}, commit=commit, committed_at=committed_at)
