from __future__ import annotations

import pytest

from infra.docs_pages.words import happened
from tests.unit.docs_pages.events import make_event


@pytest.mark.parametrize(
    ("operation", "outcome", "words"),
    [
        ("update", "succeeded", "set up"),
        ("", "failed", "set-up failed"),
        ("destroy", "succeeded", "destroyed"),
        ("refresh", "failed", "refresh failed"),
        ("resource-import", "succeeded", "resource-import"),
    ],
)
def test_what_was_no_release_is_named_by_what_pulumi_did(operation: str, outcome: str, words: str) -> None:
    """A destroy is not said to set something up."""
    assert happened(make_event(1, 1, kind="other", operation=operation, outcome=outcome)) == words
