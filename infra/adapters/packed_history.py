"""The history of a stack in the form in which its state holds it: one short text instead of a long list.

Pulumi writes the whole state again with every step of an update, so each of them is as slow as the state is large.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from infra.domain.numbers import whole_numbers
from infra.errors import UnreadableHistoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HISTORY = "history"


def pack(history: Sequence[Mapping[str, Any]]) -> str:
    """Return the entries as JSON, through gzip, in Base64: entries are alike, so they take little room together."""
    document = json.dumps(whole_numbers(list(history)), separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(document, mtime=0)).decode()


def unpack(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a packed history, or of one that was recorded as a list; None is an empty one.

    Raises `UnreadableHistoryError` for anything else.
    """
    if value is None or isinstance(value, list):
        return list(whole_numbers(value or []))
    try:
        entries = json.loads(gzip.decompress(base64.b64decode(value, validate=True)))
    except (TypeError, ValueError, EOFError, OSError, binascii.Error, zlib.error):
        entries = None
    if not isinstance(entries, list):
        raise UnreadableHistoryError(
            "the history in the stack's state cannot be read",
            where=f"output `{HISTORY}`",
            mend="`acp-release audit verify --stack STACK` says what was changed;"
            " `pulumi stack import --stack STACK --file FILE` takes an earlier state back",
        )
    return entries


def with_history(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stack's outputs with the entries of its history in the place of the packed text."""
    return {**outputs, HISTORY: unpack(outputs[HISTORY])} if HISTORY in outputs else dict(outputs)
