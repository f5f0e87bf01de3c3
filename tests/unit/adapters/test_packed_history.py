from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from infra.adapters.packed_history import pack, unpack, with_history
from infra.errors import UnreadableHistoryError

ENTRY = {"release": "v1-0", "spec": {"services": [{"name": "ingest", "cpus": 0.5, "replicas": 2}]}, "who": "Zoë"}


def packed(document: Any) -> str:
    """Return any document as a history is packed."""
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


def test_a_history_comes_back_as_it_was() -> None:
    """Every entry, in its order; whole numbers are whole, also where the engine made them floats."""
    history = [{**ENTRY, "release": f"v{n}-0", "n": float(n)} for n in range(60)]
    found = unpack(pack(history))
    assert found == [{**ENTRY, "release": f"v{n}-0", "n": n} for n in range(60)]
    assert all(isinstance(entry["n"], int) for entry in found)


def test_the_same_history_is_the_same_text() -> None:
    """Nothing of the moment is in it, so an update that changes nothing writes the same state."""
    assert pack([ENTRY]) == pack([dict(ENTRY)])


def test_fifty_entries_take_the_room_of_a_few() -> None:
    """Every step of an update writes the whole state again, so it must not grow with the history."""
    history = [{**ENTRY, "release": f"v{n}-0", "checks": [f"check {c} passed" for c in range(200)]} for n in range(50)]
    assert len(pack(history)) < 3 * len(json.dumps(history[0]))


def test_a_history_that_was_recorded_as_a_list_is_read() -> None:
    """So is the one of a stack that has none yet."""
    assert unpack([{"n": 2.0}]) == [{"n": 2}]
    assert unpack(None) == []
    assert unpack([]) == []


@pytest.mark.parametrize(
    "value",
    ["", "no base64!", "aGVsbG8=", pack([ENTRY])[:-40] + "AAAA", pack([ENTRY])[4:], packed({"release": "v1"}), 7, {}],
    ids=["empty", "no base64", "no gzip", "cut off", "begun late", "no list", "a number", "a document"],
)
def test_what_is_no_history_is_refused(value: Any) -> None:
    """The error names the output and how to get the history back."""
    with pytest.raises(UnreadableHistoryError) as caught:
        unpack(value)
    assert caught.value.where == "output `history`"
    assert "pulumi stack import" in caught.value.mend


def test_outputs_are_given_with_their_history() -> None:
    """Whoever reads a stack's outputs never sees the packed form; what else is there stays."""
    assert with_history({"release": "v1-0", "history": pack([ENTRY])}) == {"release": "v1-0", "history": [ENTRY]}
    assert with_history({}) == {}
