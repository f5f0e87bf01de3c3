"""What set-up tells a CI runner: where the tools are, so that each later step is one command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.toolchain.places import Places

PATH_FILE, ENVIRONMENT_FILE = "GITHUB_PATH", "GITHUB_ENV"
QUIET = ("PULUMI_SKIP_UPDATE_CHECK", "PULUMI_OPTION_SUPPRESS_OUTPUTS")


def announce(places: Places, env: Mapping[str, str]) -> None:
    """Activate the virtual environment for the steps after this one; nothing happens outside of CI."""
    if env.get(PATH_FILE):
        with Path(env[PATH_FILE]).open("a") as file:
            file.write(f"{places.bin}\n")
    if env.get(ENVIRONMENT_FILE):
        with Path(env[ENVIRONMENT_FILE]).open("a") as file:
            file.write(f"VIRTUAL_ENV={places.venv}\n" + "".join(f"{name}=true\n" for name in QUIET))
