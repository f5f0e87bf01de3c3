from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.errors import SettingsError, UsageError
from infra.reports.store import read_report, write_report
from tests.support.report import RELEASE, document


def test_a_release_has_one_page_and_what_it_was_made_from(tmp_path: Path) -> None:
    """A release id has dots of its own; page and document have the whole of it as their name."""
    page = write_report(document(), tmp_path)
    assert page == tmp_path / "production" / f"{RELEASE}.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [f"{RELEASE}.html", f"{RELEASE}.json"]
    assert read_report("production", RELEASE, tmp_path) == document()


def test_an_unknown_release_has_none(tmp_path: Path) -> None:
    """Nothing is made up."""
    assert read_report("production", RELEASE, tmp_path) is None


def test_a_page_of_another_run_is_kept(tmp_path: Path) -> None:
    """How a release went in an earlier run is evidence; the same run again replaces its own page only."""
    for run_id, outcome in (("ci-1-1", "released"), ("ci:2/1", "reverted"), ("ci:2/1", "reverted")):
        page = write_report(document(run_id=run_id, outcome=outcome), tmp_path)
    write_report(document(run_id="ci-3-1"), tmp_path)
    names = {path.name for path in page.parent.iterdir()}
    stems = (RELEASE, f"{RELEASE}.ci-1-1", f"{RELEASE}.ci-2-1")
    assert names == {f"{stem}.{ending}" for stem in stems for ending in ("html", "json")}
    assert "PASSED" in (page.parent / f"{RELEASE}.ci-1-1.html").read_text(encoding="utf-8")
    assert "FAILED" in (page.parent / f"{RELEASE}.ci-2-1.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["", '{"release": ', "[]", "null"])
def test_a_damaged_document_is_a_clear_error(tmp_path: Path, text: str) -> None:
    """Its path and a mend are named; the next run is not kept from writing its own, and the damaged one stays."""
    page = write_report(document(), tmp_path)
    page.with_suffix(".json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="is no whole JSON document") as caught:
        read_report("production", RELEASE, tmp_path)
    assert str(page.with_suffix(".json")) in caught.value.what
    assert caught.value.mend.startswith("remove the file")
    write_report(document(), tmp_path)
    assert read_report("production", RELEASE, tmp_path) == document()
    assert (page.parent / f"{RELEASE}.unreadable.json").read_text(encoding="utf-8") == text


def test_a_write_that_ends_halfway_leaves_the_file_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a killed update costs the new page and not the old one."""
    page = write_report(document(), tmp_path)
    write_text = Path.write_text

    def half(self: Path, text: str, **options: Any) -> int:
        write_text(self, text[:10], **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="No space"):
        write_report(document(outcome="lossy"), tmp_path)
    assert read_report("production", RELEASE, tmp_path) == document()
    assert "PASSED" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "", "a/b"])
def test_a_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    """What is no name of a release is refused before any file is touched."""
    with pytest.raises(UsageError):
        read_report("production", name, tmp_path)
    with pytest.raises(UsageError):
        write_report(document(stack=name), tmp_path)
