from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.adapters.files import read_compose
from infra.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_compose_file_is_read_in_one_form(tmp_path: Path) -> None:
    """Whoever reads a compose file finds environment and labels as mappings."""
    path = tmp_path / "app.yaml"
    path.write_text("services: {app: {environment: ['A=b'], labels: ['c=d']}}")
    assert read_compose(str(path)) == {"services": {"app": {"environment": {"A": "b"}, "labels": {"c": "d"}}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services:\n  foo:\n", "services.foo: must be a mapping (got nothing)"),
        ("services: [foo]", "it has no `services:` mapping"),
        ("services: {", "expected"),
    ],
)
def test_what_is_no_compose_file_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """The error names the file and the path in it."""
    path = tmp_path / "app.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_compose(str(path))
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)
