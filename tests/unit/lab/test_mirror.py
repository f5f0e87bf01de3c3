from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.errors import ToolError
from infra.lab.mirror import Mirror, read_mirror

if TYPE_CHECKING:
    from pathlib import Path

DEB822 = """\
# made by hand
Types: deb
URIs: http://mirror.test/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb deb-src
URIs: http://mirror.test/debian-security
Suites: bookworm-security
Components: main contrib
"""


def _folder(tmp_path: Path, files: dict[str, str]) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_reads_deb822_sources(tmp_path: Path) -> None:
    """Archive and security updates are found in `*.sources`."""
    mirror = read_mirror(_folder(tmp_path, {"sources.list.d/debian.sources": DEB822}))
    assert mirror == Mirror(archive="http://mirror.test/debian", security="http://mirror.test/debian-security")


def test_reads_one_line_sources_with_options(tmp_path: Path) -> None:
    """The classic format with options in brackets is read; other vendors' repositories are passed over."""
    text = (
        "# deb http://old.test/debian trixie main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://vendor.test/linux/debian bookworm stable\n"
        "deb [ signed-by=/k.gpg ] http://mirror.test/debian bookworm main contrib\n"
    )
    assert read_mirror(_folder(tmp_path, {"sources.list": text})) == Mirror(
        archive="http://mirror.test/debian", security=None
    )


def test_disabled_sources_do_not_count(tmp_path: Path) -> None:
    """A stanza that is switched off gives no mirror, and the error says what to do."""
    disabled = DEB822.split("\n\n", maxsplit=1)[0] + "\nEnabled: no\n"
    with pytest.raises(ToolError, match="apt sources"):
        read_mirror(_folder(tmp_path, {"sources.list.d/debian.sources": disabled}))


def test_a_machine_that_is_not_debian_has_no_mirror(tmp_path: Path) -> None:
    """Another distribution's archive is not taken for Debian's."""
    text = "deb http://archive.test/ubuntu noble main universe\n"
    with pytest.raises(ToolError):
        read_mirror(_folder(tmp_path, {"sources.list": text}))


def test_sources_list_of_an_image() -> None:
    """An image takes packages, updates and, where the machine has them, security updates."""
    mirror = Mirror(archive="http://mirror.test/debian", security="http://mirror.test/sec")
    assert mirror.sources_list("trixie") == (
        "deb http://mirror.test/debian trixie main\n"
        "deb http://mirror.test/debian trixie-updates main\n"
        "deb http://mirror.test/sec trixie-security main\n"
    )
