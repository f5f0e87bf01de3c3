"""Where things are: the checkout, what is made in it, and the cache that all checkouts of a user share."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one checkout and one user."""

    checkout: Path
    cache: Path
    pulumi_home: Path

    @property
    def venv(self) -> Path:
        """Return the virtual environment."""
        return self.checkout / ".venv"

    @property
    def bin(self) -> Path:
        """Return the folder that an activated virtual environment puts first on PATH."""
        return self.venv / "bin"

    @property
    def python(self) -> Path:
        """Return the Python of the virtual environment."""
        return self.bin / "python"

    @property
    def modules(self) -> Path:
        """Return the folder with one pinned Go module per tool."""
        return self.checkout / "infra" / "toolchain" / "modules"

    @property
    def tools(self) -> Path:
        """Return the folder of built tools: `<tool>/<version>-<key>/`."""
        return self.cache / "tools"

    @property
    def logs(self) -> Path:
        """Return the folder of the logs of builds and of the Docker engine."""
        return self.cache / "log"

    @property
    def plugins(self) -> Path:
        """Return Pulumi's plugin cache."""
        return self.pulumi_home / "plugins"


def account_home(home: Path) -> Path:
    """Return the account's home folder, which Pulumi goes by: it heeds HOME only for a user without an account."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return home


def find(env: Mapping[str, str] | None = None) -> Places:
    """Return the places of this checkout; XDG_CACHE_HOME and PULUMI_HOME move the shared ones."""
    env = os.environ if env is None else env
    home = Path(env.get("HOME") or Path.home())
    return Places(
        checkout=Path(__file__).resolve().parents[2],
        cache=Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "acp-release",
        pulumi_home=Path(env.get("PULUMI_HOME") or account_home(home) / ".pulumi"),
    )
