from __future__ import annotations

from pathlib import Path

from infra.hostctl import errors

DOCUMENT = Path(__file__).parents[3] / "docs" / "hostctl-errors.md"


def test_codes_and_exit_statuses_are_unique_and_in_their_range() -> None:
    """Each code has an exit status of its own between 10 and 60."""
    statuses = [kind.exit_status for kind in errors.CATALOGUE]
    assert len(set(statuses)) == len(statuses) == len(errors.KINDS)
    assert all(10 <= status <= 60 for status in statuses)


def test_the_document_is_made_from_the_table() -> None:
    """docs/hostctl-errors.md is what `hostctl --errors` prints."""
    assert DOCUMENT.read_text(encoding="utf-8") == errors.as_markdown()


def test_an_error_is_one_json_line_with_its_details() -> None:
    """The line names code, message and mend; the mend of the table is the default."""
    event = errors.HostctlError("port_taken", "port 80 is taken", port=80).to_event()
    assert event == {
        "event": "error",
        "code": "port_taken",
        "message": "port 80 is taken",
        "mend": errors.KINDS["port_taken"].mend,
        "details": {"port": 80},
    }
