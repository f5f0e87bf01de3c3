from __future__ import annotations

import dataclasses
import itertools
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from infra.docs_pages.page import make_page
from infra.docs_pages.render import escape_markdown, render_html, render_markdown
from infra.docs_pages.timeline import MOST_COLUMNS, draw_timeline
from tests.unit.docs_pages.events import HISTORY, NOW, STATE, make_event

if TYPE_CHECKING:
    from tests.conftest import Golden

VOID = {"meta", "br"}
EVIL = '"><script>alert(1)</script>|[x](https://evil.example)`\n# {{ 7 * 7 }}'


class Balance(HTMLParser):
    """Says which tags were left open, and what the page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problems: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a tag."""
        self.tags.add(tag)
        self.problems += [f"{tag} loads {value}" for name, value in attrs if name in {"src", "href"}]
        self.problems += [f"{tag} has {name}" for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a tag that is closed in itself."""
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close a tag."""
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes another tag")


def pages(events: Any = HISTORY, state: Any = STATE, problem: str = "") -> Any:
    """Return the page of one stack."""
    return [make_page("production", events, state, now=NOW, problem=problem)]


def checked(text: str) -> Balance:
    """Return the parsed page, which must be whole and load nothing."""
    balance = Balance()
    balance.feed(text)
    assert balance.open == []
    assert balance.problems == []
    assert "script" not in balance.tags
    return balance


def test_the_html_page_is_whole_and_loads_nothing() -> None:
    """Every tag is closed, nothing comes from elsewhere, the drawing is XML, and phone width is thought of."""
    text = render_html(pages(), NOW)
    checked(text)
    ET.fromstring(re.search(r"<svg.*?</svg>", text, re.DOTALL).group())  # type: ignore[union-attr] # noqa: S314 - ours
    assert 'name="viewport"' in text
    assert "@media (max-width" in text
    assert "default-src 'none'" in text


def test_every_event_is_on_both_pages_in_words() -> None:
    """What happened is said without colour: a sign and a word; figures, author, approver and reason are there."""
    html, markdown = render_html(pages(), NOW), render_markdown(pages(), NOW)
    for words in ("● released", "■ promoted", "◆ rolled back", "▼ host went back by itself", "✕ release failed"):
        assert words in html
        assert words in markdown
    for text in ("took back v4-0", "approved by lead", "https://ci.example/runs/7", "error rate 4 % on acp-ingest"):
        assert text in html
    assert "took back v4-0" in markdown
    assert "nobody confirmed within 120 seconds" in markdown
    assert "14.0 s" in markdown
    assert "0 of 1400" in markdown


def test_the_present_state_is_on_both_pages() -> None:
    """Release, images by digest, each host and each difference with its mend."""
    html, markdown = render_html(pages(), NOW), render_markdown(pages(), NOW)
    for text in ("v3-0", "registry.example/ingest@sha256:1", "h2 is not reachable", "a container is missing"):
        assert text in html
        assert escape_markdown(text) in markdown
    assert "`acp-release status --repair`" in html
    assert "drift: 1" in html


def test_the_four_keys_are_on_both_pages() -> None:
    """Each with its value, or why there is none."""
    for text in (render_html(pages(), NOW), render_markdown(pages(), NOW)):
        for name in ("deployment frequency", "lead time for changes", "change failure rate", "time to restore"):
            assert name in text
        assert "6.0 h" in text
        assert "33%" in text
    assert "not enough data: no deployment whose commit time is known" in render_html(pages(), NOW)


def test_a_new_stack_has_pages_too() -> None:
    """Without events there is no drawing, and the pages say that nothing was released."""
    html, markdown = render_html(pages([], {**STATE, "differences": []}), NOW), render_markdown(pages([]), NOW)
    checked(html)
    assert "<svg" not in html
    assert "Nothing was released yet." in html
    assert "Nothing was released yet." in markdown


def test_hosts_that_could_not_be_asked_are_said() -> None:
    """The history is there all the same."""
    html = render_html(pages(HISTORY, None, "no deploy key"), NOW)
    assert "The hosts could not be asked: no deploy key" in html
    assert "hosts not asked" in html
    assert "rolled back" in html


@pytest.mark.parametrize("field", ["release", "version", "replaced", "who", "source", "branch", "reason", "host",
                                   "approver", "ci_run"])  # fmt: skip
def test_what_others_wrote_is_text_and_never_markup(field: str) -> None:
    """A reason, name or branch with markup in it is shown as it is, in HTML and in Markdown."""
    event = dataclasses.replace(make_event(1, 5), **{field: EVIL})
    html, markdown = render_html(pages([event]), NOW), render_markdown(pages([event]), NOW)
    checked(html)
    assert "<script>" not in html + markdown
    assert "49" not in escape_markdown(EVIL)
    assert "[x](" not in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| 2026")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [11]


def test_the_page_says_what_came_from_hosts_as_text() -> None:
    """An error of a host with markup in it is text."""
    state = {
        **STATE,
        "hosts": [{"host": "h1", "error": EVIL}],
        "differences": [{"host": "h", "what": EVIL, "mend": ""}],
    }
    checked(render_html(pages(HISTORY, state), NOW))
    assert "<script>" not in render_markdown(pages(HISTORY, state), NOW)


def test_the_job_summary_stays_short() -> None:
    """Of a long history the Markdown has the last events and says how many more there are; the HTML has all."""
    events = [make_event(number, number) for number in range(1, 301)]
    markdown, html = render_markdown(pages(events), NOW), render_html(pages(events), NOW)
    assert markdown.count("● released") == 20
    assert "280 older events are in the HTML page." in markdown
    assert html.count("● released") == 300 + 1
    assert f"{300 - MOST_COLUMNS} older events are in the table only." in html


class TestTimeline:
    """The geometry."""

    def test_time_runs_from_left_to_right_in_even_steps(self) -> None:
        """The oldest event is on the left; a failed one has the cross, whatever it was."""
        drawn = draw_timeline(HISTORY, 0)
        assert [column.shape for column in drawn.columns] == [
            "other",
            "release",
            "promotion",
            "release",
            "rollback",
            "failed",
            "revert",
        ]
        xs = [column.x for column in drawn.columns]
        assert xs == sorted(xs)
        assert len({b - a for a, b in itertools.pairwise(xs)}) == 1
        assert drawn.now == "no drift"

    def test_the_longest_bar_and_the_highest_dot_reach_the_top(self) -> None:
        """Heights are in proportion; what was not measured has no bar and no dot."""
        slow = make_event(9, 2, started_at=make_event(9, 2 + 1 / 60).ended_at, figures={"p99_ms": 40.0})
        none = make_event(8, 3, started_at="", figures={})
        drawn = draw_timeline([slow, make_event(7, 4, figures={"p99_ms": 10.0}), none], None)
        unknown, half, top = drawn.columns
        assert (unknown.bar_y, unknown.dot_y) == (None, None)
        assert (top.bar_y, top.dot_y, half.dot_y) == (62, 170, 222.5)
        assert (drawn.longest, drawn.highest_p99, drawn.now) == ("1.0 min", "40 ms", "hosts not asked")


def test_the_pages_are_as_they_were(golden: Golden) -> None:
    """The whole Markdown page, to see every change of it."""
    golden("history.md", render_markdown(pages(), NOW))
