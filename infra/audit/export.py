"""The history for others to keep: JSON Lines, CSV, or a signed in-toto attestation."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from infra.domain.chain import canonical
from infra.domain.history import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://acp.example/release-history/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
FORMULA = "=+-@\t\r"


def as_json_lines(events: Sequence[Event]) -> str:
    """Return one JSON object per event, the oldest first."""
    return "".join(f"{canonical(asdict(event))}\n" for event in events)


def as_csv(events: Sequence[Event]) -> str:
    """Return a table with a column per field; what a spreadsheet would take for a formula is quoted."""
    output = io.StringIO()
    names = [item.name for item in fields(Event)]
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(names)
    for event in events:
        writer.writerow([_cell(getattr(event, name)) for name in names])
    return output.getvalue()


def statement(
    stack: str, events: Sequence[Event], images: Mapping[str, str], unasked: Sequence[str] = ()
) -> dict[str, Any]:
    """Return an in-toto statement: the images that serve are its subjects, the history its predicate.

    `unasked` has a line for each host whose journal is not in the history.
    """
    links = [event for event in events if event.kind != "revert" and event.hash]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": pinned.partition("@")[0], "digest": {"sha256": pinned.partition("@sha256:")[2]}}
            for pinned in images.values()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "stack": stack,
            "head": links[-1].hash if links else "",
            "updates": len(links),
            "unasked": list(unasked),
            "events": [asdict(event) for event in events],
        },
    }


def envelope(document: Mapping[str, Any], sign: Callable[[bytes], tuple[str, bytes]]) -> dict[str, Any]:
    """Return a statement in a DSSE envelope; `sign` returns the key's id and its signature."""
    payload = canonical(document).encode()
    key_id, signature = sign(pre_authentication(payload))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
    }


def pre_authentication(payload: bytes) -> bytes:
    """Return what DSSE signs: the type and the payload, each with its length before it."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else ""
    text = str(value)
    return f"'{text}" if text[:1] in FORMULA and text else text
