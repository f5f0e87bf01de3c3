"""The pages from their templates; every value is escaped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from infra.docs_pages.page import StackPage

TEMPLATES = Path(__file__).parent / "templates"
MARKDOWN_ROWS = 20
"""A job summary is read at a glance, and may not be longer than a mebibyte."""

MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]()#!|~$@])")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def render_html(pages: Sequence[StackPage], made_at: datetime) -> str:
    """Return one self-contained HTML page with all stacks."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("history.html.j2").render(pages=pages, made_at=_utc(made_at))


def render_markdown(pages: Sequence[StackPage], made_at: datetime) -> str:
    """Return all stacks as Markdown, with the last events of each."""
    environment = Environment(  # noqa: S701 - `finalize` escapes every value, as Markdown needs it
        loader=FileSystemLoader(TEMPLATES),
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("history.md.j2")
    return template.render(pages=pages, made_at=_utc(made_at), most=MARKDOWN_ROWS) + "\n"


def escape_markdown(value: object) -> str:
    """Return a value as one line of Markdown that says exactly this, and is no markup, link or mention."""
    text = " ".join(str(value).split())
    for sign, entity in ENTITIES.items():
        text = text.replace(sign, entity)
    return MARKDOWN_SIGNS.sub(r"\\\1", text)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
