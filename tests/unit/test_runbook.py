from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from infra import errors
from infra.errors import ReleaseError
from infra.paths import PROJECT_ROOT
from tests.e2e.runbook_scenes import SCENES
from tests.support.runbook import read_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = PROJECT_ROOT / "docs"
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
TROUBLESHOOTING = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
NOT_OURS = {
    "the stack is currently locked",
    "incorrect passphrase",
    "pending operations from previous deployment",
    "after 3 failed attempts: dial tcp",
    "network with name … already exists",
}
"""What Pulumi and its providers say."""


def test_every_block_of_the_runbook_says_how_it_is_run() -> None:
    """Each shell block has a mark, and each mark names a scene that there is; no mark is left over."""
    blocks = read_blocks(RUNBOOK)
    assert {block.scene for block in blocks} <= set(SCENES)
    assert RUNBOOK.count("```sh") == len(blocks) == RUNBOOK.count("<!-- run")


def test_a_block_without_a_mark_is_refused() -> None:
    """Nothing gets into the runbook that no test runs."""
    with pytest.raises(AssertionError, match="does not say how"):
        read_blocks("## A\n```sh\ntrue\n```\n")


def test_a_mark_is_read() -> None:
    """Scene, length and exit status."""
    (block,) = read_blocks("## A b\n<!-- run: long, after a lost host; exits 20 -->\n```sh\ntrue\nfalse\n```\n")
    assert (block.section, block.scene, block.is_long, block.exits) == ("A b", "after a lost host", True, 20)
    assert block.text == "true\nfalse"


def test_the_night_has_five_steps() -> None:
    """The on-call page is short."""
    night = RUNBOOK.partition("## It is broken at three in the morning")[2].partition("\n## ")[0]
    assert re.findall(r"^\*\*(\d)\. ", night, re.MULTILINE) == ["1", "2", "3", "4", "5"]


def kinds(kind: type[ReleaseError] = ReleaseError) -> Iterator[type[ReleaseError]]:
    """Yield every error of this program."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from kinds(below)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_line_in_troubleshooting(kind: type[ReleaseError]) -> None:
    """With its exit code."""
    assert f"| {kind.exit_code} | `{kind.__name__}` |" in TROUBLESHOOTING


def test_what_troubleshooting_quotes_is_said_by_the_program() -> None:
    """A text in the first column of the second table is one of ours, or Pulumi's."""
    table = TROUBLESHOOTING.partition("## By what you see")[2].partition("\n## ")[0]
    quoted = {text for row in table.splitlines() for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])}
    source = "\n".join(path.read_text("utf-8") for path in (PROJECT_ROOT / "infra").rglob("*.py"))
    pieces = {piece for text in quoted - NOT_OURS for piece in re.split("…", text) if len(piece) > 1}
    assert len(pieces) > 5
    assert [piece for piece in sorted(pieces) if piece.strip(" ,") not in source] == []


def test_links_to_sections_lead_to_sections() -> None:
    """An anchor in a link is a heading of the page."""
    for page in (RUNBOOK, TROUBLESHOOTING):
        for name, anchor in re.findall(r"\]\(([a-z./A-Z]*\.md)#([^)]+)\)", page):
            text = (DOCS / name).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
            assert anchor in {re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in headings}, anchor


def test_mends_that_name_a_section_of_the_runbook_are_right() -> None:
    """An error or a difference that sends people to the runbook names a heading."""
    named = {
        section
        for path in (PROJECT_ROOT / "infra").rglob("*.py")
        for section in re.findall(r'runbook\.md, \\?"([^"\\]+)\\?"', path.read_text("utf-8"))
    }
    assert named
    assert [section for section in sorted(named) if f"\n## {section}\n" not in RUNBOOK] == []
