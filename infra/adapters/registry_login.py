"""A registry login for programs that read Docker's configuration, without the password in any file or argument."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.adapters.environment import kept_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

HELPER = "acp-environment"
HELPER_FOLDER = Path(__file__).with_name("credential_helper")
"""Where the helper is. It is never written at run time: a program that another thread's child still holds open for
writing cannot be started ("text file busy")."""


@contextlib.contextmanager
def docker_login(server: str, username: str, password: str) -> Iterator[dict[str, str]]:
    """Yield an environment whose Docker configuration logs in to `server`; its folder is gone afterwards.

    It has no other secret of this process's.
    """
    with tempfile.TemporaryDirectory(prefix="acp-login-") as home:
        (Path(home) / "config.json").write_text(json.dumps({"credHelpers": {server: HELPER}}), encoding="ascii")
        yield {
            **kept_environment(),
            "DOCKER_CONFIG": home,
            "PATH": f"{HELPER_FOLDER}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "ACP_LOGIN_SERVER": server,
            "ACP_LOGIN_USERNAME": username,
            "ACP_LOGIN_PASSWORD": password,
        }
