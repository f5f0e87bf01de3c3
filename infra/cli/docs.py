"""`acp-release docs`: the history and the present state of stacks, for a job summary and for Pages."""

from __future__ import annotations

import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.adapters.pulumi_cli import NoStackError
from infra.audit.events import ReadEvents, read_events
from infra.cli.options import emit, json_option, load
from infra.cli.status import read_status
from infra.docs_pages.page import make_page
from infra.docs_pages.render import render_html, render_markdown
from infra.errors import ReleaseError, UsageError
from infra.paths import PROJECT_ROOT
from infra.rollout.context import host_clients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.docs_pages.page import StackPage
    from infra.domain.history import Event

DEFAULT_FOLDER = PROJECT_ROOT / "reports" / "docs"
SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@click.command(epilog="Example: acp-release docs --stack staging --stack production --output site")
@click.option("--stack", "-s", "stacks", required=True, multiple=True, metavar="STACK", help="Stack; may be repeated.")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Default: reports/docs."
)
@click.option("--summary", is_flag=True, help="Append the Markdown to the summary of the GitHub job too.")
@json_option
def docs(stacks: Sequence[str], output: Path | None, *, summary: bool, as_json: bool) -> None:
    """Write history.md and index.html: what was released, what serves, the four keys. Commits nothing."""
    summary_file = _summary_file() if summary else None
    now = datetime.now(UTC)
    read = [_read(stack, now) for stack in dict.fromkeys(stacks)]
    pages = [page for page, _ in read]
    markdown = render_markdown(pages, now)
    if summary_file is not None:
        with summary_file.open("a", encoding="utf-8") as file:
            file.write(markdown)
    folder = output or (None if as_json else DEFAULT_FOLDER)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history.md").write_text(markdown, encoding="utf-8")
        (folder / "index.html").write_text(render_html(pages, now), encoding="utf-8")
        click.echo(f"wrote {folder / 'history.md'} and {folder / 'index.html'}", err=True)
    document = {"made_at": now.isoformat(), "stacks": [_document(page, events) for page, events in read]}
    emit(document, as_json=as_json, text=lambda: None)


def _read(stack: str, now: datetime) -> tuple[StackPage, list[Event]]:
    """Return the page of a stack and its events, the newest first; hosts that cannot be asked are said so on it.

    A stack that the backend does not have yet is a page that says so.
    """
    click.echo(f"reading {stack}", err=True)
    state, problem, read = None, "", ReadEvents(events=[])
    try:
        state = read_status(stack)
    except ReleaseError as error:
        problem = error.what
    try:
        read = read_events(stack, host_clients(load(stack)))
    except NoStackError as error:
        click.echo(f"{stack}: {error}", err=True)
    for line in read.unasked:
        click.echo(line, err=True)
    events = read.events[::-1]
    return make_page(stack, events, state, now=now, problem=problem), events


def _document(page: StackPage, events: Sequence[Event]) -> dict[str, Any]:
    """Return a stack as `--json` prints it."""
    return {
        "stack": page.stack,
        "state": page.state,
        "problem": page.problem,
        "four_keys": [key.to_json() for key in page.keys],
        "events": [dataclasses.asdict(event) for event in events],
    }


def _summary_file() -> Path:
    """Return the file of the job's summary; refuse where there is no job."""
    name = os.environ.get(SUMMARY_VARIABLE)
    if not name:
        raise UsageError(
            f"{SUMMARY_VARIABLE} is not set: this is no GitHub job", mend="leave --summary away; nothing was written"
        )
    return Path(name)
