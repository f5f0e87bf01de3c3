from __future__ import annotations

from typing import TYPE_CHECKING

from infra.toolchain.ci import announce

if TYPE_CHECKING:
    from pathlib import Path

    from infra.toolchain.places import Places


def test_later_steps_find_the_tools(places: Places, tmp_path: Path) -> None:
    """Set-up activates the virtual environment for the steps after it, and keeps what earlier ones said."""
    files = {name: tmp_path / name for name in ("GITHUB_PATH", "GITHUB_ENV")}
    files["GITHUB_PATH"].write_text("/before\n")
    announce(places, {name: str(path) for name, path in files.items()})
    assert files["GITHUB_PATH"].read_text() == f"/before\n{places.bin}\n"
    assert f"VIRTUAL_ENV={places.venv}\n" in files["GITHUB_ENV"].read_text()


def test_outside_of_ci_nothing_is_written(places: Places, tmp_path: Path) -> None:
    """Without a runner's files there is nobody to tell."""
    before = sorted(tmp_path.rglob("*"))
    announce(places, {})
    assert sorted(tmp_path.rglob("*")) == before
