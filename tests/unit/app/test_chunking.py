from __future__ import annotations

import pytest
from acp_reference.ingest.chunking import split_into_chunks
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.lists(st.text(alphabet="abcdefgh", min_size=1, max_size=12), max_size=80).map(" ".join)


def test_a_short_text_is_one_chunk() -> None:
    """White space is made single, nothing else changes."""
    assert split_into_chunks("  one \n\n two\tthree ") == ("one two three",)


def test_a_text_without_words_gives_no_chunks() -> None:
    """There is nothing to embed in blanks."""
    assert split_into_chunks(" \n ") == ()


def test_chunks_overlap_at_word_borders() -> None:
    """The next chunk repeats the end of the one before and begins with a whole word."""
    chunks = split_into_chunks("aaaa bbbb cccc dddd eeee", size=14, overlap=6)

    assert chunks == ("aaaa bbbb cccc", "cccc dddd eeee")


def test_a_long_word_is_cut() -> None:
    """A word longer than a chunk is cut, and the end is reached."""
    chunks = split_into_chunks("x" * 25, size=10, overlap=3)

    assert all(len(chunk) <= 10 for chunk in chunks)
    assert sum(map(len, chunks)) >= 25


@given(text=TEXTS)
def test_no_word_is_lost(text: str) -> None:
    """Every word is whole in some chunk, and no chunk is too long or empty."""
    chunks = split_into_chunks(text, size=30, overlap=10)

    assert all(0 < len(chunk) <= 30 for chunk in chunks)
    assert {word for chunk in chunks for word in chunk.split()} == set(text.split())


@pytest.mark.parametrize("overlap", [-1, 10, 11])
def test_an_overlap_that_never_ends_is_refused(overlap: int) -> None:
    """An overlap as long as the chunk would not get on."""
    with pytest.raises(ValueError, match="overlap"):
        split_into_chunks("text", size=10, overlap=overlap)
