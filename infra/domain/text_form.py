"""Documents as one text on their way through the Pulumi engine.

It handles each value of a document by itself, many times in an update: those of the settings alone, given to eight
resources, were half of what a stack's state was made of.
"""

from __future__ import annotations

import json
from typing import Any

from infra.domain.numbers import whole_numbers


def to_text(document: Any) -> str:
    """Return a JSON document as text, the same for equal documents: 2.0 is written as 2."""
    return json.dumps(whole_numbers(document), sort_keys=True)


def from_text(value: Any) -> Any:
    """Return the document of a text, or the document itself where the state has it from before it was one text.

    Raises `ValueError` for a text that is no JSON.
    """
    return json.loads(value) if isinstance(value, str) else whole_numbers(value)
