from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from infra.reports.page import render_page
from infra.reports.record import document_of
from infra.reports.view import view_of
from tests.support.report import RELEASE, check, document

EVIL = "<script>alert('x')</script><img src=x onerror=y>\"&"


class Reader(HTMLParser):
    """Reads a page: its headings in order, its text, and every element with its attributes."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        super().__init__()
        self.headings: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))
        self._tag = tag

    def handle_data(self, data: str) -> None:
        """Keep text, and what of it is a heading."""
        if self._tag == "h2":
            self.headings.append(data)
        self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._tag = ""


def read(**changes: Any) -> Reader:
    """Return the page of a document, read."""
    reader = Reader()
    reader.feed(render_page(document(**changes)))
    return reader


def test_the_verdict_stands_first_and_the_rest_in_order() -> None:
    """Verdict, release, checks, load, resources, certificate, timeline."""
    page = render_page(document())
    headings = ["Release", "Checks", "Load", "Resources", "Zero-drop certificate", "Timeline"]
    assert read().headings == headings
    assert page.index("PASSED</strong>") < page.index("<h2>Release")


@pytest.mark.parametrize(
    ("outcome", "word"),
    [("released", "PASSED"), ("reverted", "FAILED"), ("lossy", "FAILED"), ("unfinished", "FAILED")],
)
def test_the_verdict_is_a_word(outcome: str, word: str) -> None:
    """Title and first lines say it without colour; the reason stands beside it."""
    page = render_page(document(outcome=outcome, reason="because of this"))
    assert f"<title>{word}: {RELEASE} on production</title>" in page
    assert f"<strong>{word}</strong>" in page
    assert "because of this" in page


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"outcome": "released"}, "verified, committed and serving"),
        ({"outcome": "released", "is_current": False}, "verified and committed; not the current release"),
        ({"outcome": "lossy"}, "committed, but requests were lost after that"),
        ({"outcome": "reverted"}, "not released; the reason says what serves"),
        ({"outcome": "reverted", "restored": ""}, "not released; the reason says what serves"),
        ({"outcome": "reverted", "restored": "v1-0"}, "not released; v1-0 serves again"),
        ({"outcome": "reverted", "restored": RELEASE}, "not verified again; it goes on serving"),
    ],
)
def test_the_headline_says_what_serves_where_it_was_seen(changes: dict[str, Any], headline: str) -> None:
    """After a revert that left nothing serving, or that failed, no page says that the release before serves."""
    assert view_of(document(**changes)).headline == headline


def test_figures_are_written_out() -> None:
    """A count has its thousands, milliseconds a tenth, and neither an exponent, whatever the engine made of them."""
    endpoint = {"endpoint": "POST search", "requests": 13480.0, "p95_ms": 12345.67, "share": 0.98765}
    certificate = {"sent": 13480, "p50_ms": 4, "longest_gap_ms": 12345.67, "by_release": {RELEASE: 13480.0}}
    found = view_of(document(load=[{"endpoints": [endpoint]}], certificate=certificate))
    assert found.load.rows == [["POST search", "13,480", "12,345.7", "0.9877"]]
    assert [text for _, text in found.certificate] == ["13,480", "12,345.7", "4.0"]
    assert [bar.text for bar in found.by_release] == ["13,480 requests"]
    assert [bar.text for bar in found.load_bars] == ["12,345.7 ms"]


def test_a_page_needs_nothing_from_elsewhere() -> None:
    """No script, no address to load from, and a policy that would forbid both."""
    reader = read()
    assert {"script", "iframe", "object", "embed"}.isdisjoint(tag for tag, _ in reader.elements)
    loaded = [value for _, attrs in reader.elements for key, value in attrs.items() if key in {"src", "href", "action"}]
    assert loaded == ["data:,"]
    page = render_page(document())
    assert not re.search(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page


def test_everything_that_comes_from_outside_is_escaped() -> None:
    """Text of errors, checks, containers, routes, releases and warnings never becomes markup."""
    evil = {**check(passed=False), "target": EVIL, "came": EVIL, "look_at": EVIL}
    plain = document()
    certificate = {**plain["certificate"], "by_release": {EVIL: 1}, "losses": [{"route": EVIL}]}
    resources = {**plain["resources"], "containers": [{**plain["resources"]["containers"][0], "name": EVIL}]}
    reader = read(
        reason=EVIL, checks=[evil], warnings=[EVIL], certificate=certificate, resources=resources,
        timeline={EVIL: 1.0}, load=[{"script": EVIL, EVIL: EVIL, "p95_ms": 1.0}], release=EVIL, images={EVIL: EVIL},
    )  # fmt: skip
    assert {"script", "img"}.isdisjoint(tag for tag, _ in reader.elements)
    assert sum(EVIL in text for text in reader.text) >= 10


def test_failed_checks_stand_on_top_with_word_and_sign() -> None:
    """What failed is found without reading everything, and without colour."""
    page = render_page(
        document(checks=[check(passed=True), check(passed=False, target="acp-agents on h2"), check(passed=True)])
    )
    rows = re.findall(r'class="(pass|fail)">(.*?)</td>', page)
    assert rows[:3] == [("fail", "✘ FAILED"), ("pass", "✔ passed"), ("pass", "✔ passed")]


def test_a_failed_check_that_only_warns_is_told_apart() -> None:
    """A warning is neither a pass nor a failure."""
    page = render_page(document(checks=[{**check(passed=False), "severity": "warning"}]))
    assert '<td data-label="verdict" class="open">? warning</td>' in page


def test_a_load_run_is_shown_by_endpoint() -> None:
    """A run's endpoints are rows and bars of their own, and what it missed is said."""
    endpoint = {"scenario": "search", "endpoint": "POST search", "requests": 10, "p95_ms": 51.5, "max_p95_ms": None}
    run = {"profile": "load", "passed": False, "missed": ["p95 of search"], "images": ["x"], "endpoints": [endpoint]}
    page = render_page(document(load=[run]))
    assert '<td data-label="verdict" class="fail">✘ FAILED</td>' in page
    assert '<span class="label">load search POST search p95</span>' in page
    assert "<li>p95 of search</li>" in page
    assert "max p95" not in page


def test_bounds_are_shown_with_the_verdict() -> None:
    """A verdict on a regression has its bounds beside it; one that cannot be told is neither good nor bad."""
    page = render_page(document(regression=[{"service": "a", "verdict": "cannot tell", "ratio": [0.91, 1.0, 1.12]}]))
    assert '<td data-label="ratio">0.91, 1, 1.12</td>' in page
    assert 'class="open">? cannot tell' in page


def test_what_was_not_measured_is_said() -> None:
    """A page of a release that failed early has every section, with a sentence instead of figures."""
    early = {"outcome": "unfinished", "stack": "local", "release": RELEASE}
    page = render_page(early)
    for sentence in (
        "No check was made.",
        "No load test was part of this release.",
        "Nothing was read of the containers.",
        "There is no certificate",
        "No step was reached.",
    ):
        assert sentence in page


def test_the_timeline_is_in_order_of_time() -> None:
    """The engine sorts keys by name; the page does not."""
    page = render_page(document())
    timeline = page[page.index("<h2>Timeline") :]
    assert re.findall(r'class="label">(.*?)</span>', timeline) == ["candidate ready", "candidate verified", "committed"]


def test_lines_of_a_plot_differ_without_colour() -> None:
    """Containers of one service have dash patterns of their own, and each stands in the legend with its figure."""
    page = render_page(document())
    figure = page[page.index("acp-ingest: memory") : page.index("acp-ingest: CPU")]
    assert len(set(re.findall(r'<polyline points="[\d., ]{40,}" stroke-dasharray="(.*?)"', figure))) == 3
    assert len(re.findall(r"<li>.*?acp-ingest-\d on h1: [\d.]+ %</li>", figure)) == 3
    assert "limit 80 %" in figure


def test_the_same_document_gives_the_same_page() -> None:
    """A page can be compared: nothing in it is of the moment it was rendered."""
    assert render_page(document()) == render_page(document())


def test_a_recorded_entry_gives_a_page() -> None:
    """What a record has is enough, also one from before there were certificates."""
    plain = document()
    names = ("release", "version", "run_id", "strategy", "images", "checks", "timeline", "started_at", "ended_at")
    entry = {key: plain[key] for key in names}
    found = document_of({**entry, "replaced": "v1", "spec": {"secret_names": ["X"]}}, "staging")
    assert "spec" not in found
    page = render_page(found)
    assert "PASSED" in page
    assert "There is no certificate" in page
    assert page.count("2026-01-01T00:0") == 2
