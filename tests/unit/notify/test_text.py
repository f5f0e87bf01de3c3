from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.domain.notices.text import cut, duration, plain, top_reason
from tests.support.notices import HOSTILE

FORBIDDEN = re.compile(r"[<>\r\n\t]|(?<!\w)@\w|[A-Za-z0-9+.-]://|\bwww\.\w|\]\(")


def test_hostile_text_is_made_harmless() -> None:
    """Mentions, links, tags, direction marks and line ends of others do not survive; the words do."""
    assert plain(HOSTILE, 1000) == (
        "(!channel) (at)everyone (at)all(/at) ((at)U123) [click] (https[:]//evil.example) "
        "(https[:]//evil.example|safe) https[:]//evil.example/x www[.]evil.example *b* `c` &lt;!here&gt; gnp "
        "Bcc: x@evil.example"
    )


@given(st.text(alphabet=st.sampled_from("<>@!|[]():/wW.a \n\u202e\u200b\x00&"), max_size=60), st.integers(1, 40))
def test_no_text_gets_through_as_markup(text: str, limit: int) -> None:
    """Whatever is put together of dangerous characters, nothing dangerous is left, and the limit holds."""
    found = plain(text, limit)
    assert FORBIDDEN.search(found) is None
    assert found.isprintable()
    assert len(found) <= limit


@given(st.text(max_size=80))
def test_making_harmless_twice_is_making_harmless_once(text: str) -> None:
    """A text that is harmless stays as it is."""
    once = plain(text, 200)
    assert plain(once, 200) == once


def test_ordinary_text_stays_as_it_is() -> None:
    """A subject without markup is not touched, an address of a person included."""
    text = "Fix #12: search & rank (v2) by ada@example.org, 100 % faster"
    assert plain(text, 200) == text


def test_a_reason_is_its_first_lines() -> None:
    """A reason of many lines becomes one line of the first three."""
    assert top_reason("2 of 8 checks failed\n\n    FAILED a\n  FAILED b\nFAILED c", 100) == (
        "2 of 8 checks failed · FAILED a · FAILED b"
    )


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    """A cut text is as long as allowed and says that it was cut."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (42, "42 s"), (185, "3 min 5 s"), (3720, "1 h 2 min"), (59.7, "1 min 0 s")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    """Seconds, minutes and hours are said in words."""
    assert duration(seconds) == text
