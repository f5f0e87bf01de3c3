from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.toolchain import apt, client_plugins, trixie

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """docker-compose:
  Installed: (none)
  Candidate: 1.29.2-3
  Version table:
     1.29.2-3 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
docker-buildx:
  Installed: (none)
  Candidate: (none)
  Version table:
docker-buildx-plugin:
  Installed: (none)
  Candidate: 5:0.14.0-1~debian
  Version table:
"""

TARGETS = """Debian|Debian-Security|main|http://security.example/debian-security/
Vendor|Vendor|main|http://vendor.example/
Debian|Debian|main|http://mirror.example/debian/
Debian|Debian|main|http://other.example/debian/
"""


def test_policy_names_what_is_offered() -> None:
    """A package without a candidate is not offered."""
    offered = apt.parse_policy(POLICY)
    assert offered == {"docker-compose": "1.29.2-3", "docker-buildx-plugin": "5:0.14.0-1~debian"}


def test_install_command_recommends_nothing_and_waits_for_a_running_apt() -> None:
    """The installation takes what is asked for only, and waits for the lock of another apt."""
    assert apt.install_argv(["git"]) == [
        *("apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "git"),
    ]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"docker-compose": "1.29.2-3"}, None),
        ({"docker-compose": "2.26.1-4"}, "docker-compose"),
        ({"docker-compose": "2.26.1-4", "docker-compose-plugin": "5:2.29.0-1"}, "docker-compose-plugin"),
        ({"docker-compose-v2": "2.24.6+ds1-0ubuntu1"}, "docker-compose-v2"),
        ({}, None),
    ],
)
def test_compose_package(offered: dict[str, str], chosen: str | None) -> None:
    """Docker's own package goes first, an epoch is no version, and Compose v1 is never taken."""
    compose = next(plugin for plugin in client_plugins.PLUGINS if plugin.command == "compose")
    assert client_plugins.choose(compose, offered) == chosen


def test_mirror_is_the_machines_own() -> None:
    """The next release comes from the archive that this machine uses, not from its security or a vendor's archive."""
    assert trixie.pick_mirror(TARGETS) == "http://mirror.example/debian/"
    assert trixie.pick_mirror("Vendor|Vendor|main|http://vendor.example/\n") is None


def test_next_release_stays_in_its_folder(tmp_path: Path) -> None:
    """Apt's settings point at the folder only, and its one source is signed and names the next release."""
    settings = list(trixie.options(tmp_path, "http://mirror.example/debian/"))
    source = (tmp_path / "release.list").read_text()
    assert source == f"deb [signed-by={trixie.KEYRING}] http://mirror.example/debian/ trixie main\n"
    folders = [value for name, _, value in (line.partition("=") for line in settings) if name.startswith("Dir::")]
    assert len(folders) == 5
    assert all(folder.startswith(str(tmp_path)) for folder in folders)
