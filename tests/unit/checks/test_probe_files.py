from __future__ import annotations

from typing import TYPE_CHECKING

from infra.checks.probe_files import ProbeFiles

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_killed_probe_left_is_removed(tmp_path: Path) -> None:
    """Also a file that was half-written when it was killed; a folder that is gone already is no error."""
    files = ProbeFiles(folder=tmp_path / "probe")
    files.folder.mkdir()
    files.write_result({"sent": 1})
    (files.folder / "state.4711.new").write_text("{", encoding="utf-8")
    files.remove()
    assert not files.folder.exists()
    files.remove()
