from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.errors import UsageError
from infra.reports.store import read_report, write_report
from tests.support.report import RELEASE, document

if TYPE_CHECKING:
    from pathlib import Path


def test_a_release_has_one_page_and_what_it_was_made_from(tmp_path: Path) -> None:
    """A release id has dots of its own; page and document have the whole of it as their name."""
    page = write_report(document(), tmp_path)
    assert page == tmp_path / "production" / f"{RELEASE}.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [f"{RELEASE}.html", f"{RELEASE}.json"]
    assert read_report("production", RELEASE, tmp_path) == document()


def test_an_unknown_release_has_none(tmp_path: Path) -> None:
    """Nothing is made up."""
    assert read_report("production", RELEASE, tmp_path) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "", "a/b"])
def test_a_name_cannot_lead_out_of_the_folder(name: str, tmp_path: Path) -> None:
    """What is no name of a release is refused before any file is touched."""
    with pytest.raises(UsageError):
        read_report("production", name, tmp_path)
    with pytest.raises(UsageError):
        write_report(document(stack=name), tmp_path)
