from __future__ import annotations

import pytest

from infra.domain.text_form import from_text, to_text

DOCUMENT = {"b": [1, 2.5, None, True], "a": {"name": "Zoë", "replicas": 2}}


def test_a_document_comes_back_as_it_was() -> None:
    """With its numbers: the engine would make floats of them."""
    assert from_text(to_text(DOCUMENT)) == DOCUMENT
    assert isinstance(from_text(to_text(DOCUMENT))["a"]["replicas"], int)


def test_equal_documents_are_equal_texts() -> None:
    """Whatever their order, so that a resource does not change for it."""
    assert to_text({"a": 1, "b": 2}) == to_text({"b": 2.0, "a": 1.0})


def test_what_an_older_state_has_is_read() -> None:
    """There it is a document, with the engine's numbers."""
    assert from_text({"a": 2.0}) == {"a": 2}


def test_another_text_is_refused() -> None:
    """Half a document is none."""
    with pytest.raises(ValueError, match="Expecting"):
        from_text(to_text(DOCUMENT)[:-4] + "}")
