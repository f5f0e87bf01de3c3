"""A registry login for programs that read Docker's configuration, without the password in any file or argument."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HELPER = "acp-gate-environment"
# The program asks this helper for the login; it answers from the environment that the program itself was started with.
HELPER_TEXT = """#!/bin/sh
[ "$1" = get ] || exit 1
printf '{"ServerURL": "%s", "Username": "%s", "Secret": "%s"}\\n' \\
    "$ACP_GATE_SERVER" "$ACP_GATE_USERNAME" "$ACP_GATE_PASSWORD"
"""


@contextlib.contextmanager
def docker_login(server: str, username: str, password: str) -> Iterator[dict[str, str]]:
    """Yield an environment whose Docker configuration logs in to `server`; its folder is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="acp-gate-") as home:
        folder = Path(home)
        (folder / "config.json").write_text(json.dumps({"credHelpers": {server: HELPER}}), encoding="ascii")
        helper = folder / f"docker-credential-{HELPER}"
        helper.write_text(HELPER_TEXT, encoding="ascii")
        helper.chmod(0o700)
        yield {
            **os.environ,
            "DOCKER_CONFIG": home,
            "PATH": f"{home}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "ACP_GATE_SERVER": server,
            "ACP_GATE_USERNAME": username,
            "ACP_GATE_PASSWORD": password,
        }
