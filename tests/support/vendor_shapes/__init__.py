"""The shapes that vendors publish for what they take, written down from their documentation as JSON schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parent


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def shape_problems(name: str, document: Any) -> list[str]:
    """Return where a document departs from a vendor's shape."""
    return [f"{error.json_path}: {error.message[:200]}" for error in _validator(name).iter_errors(document)]
