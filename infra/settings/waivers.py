"""The waivers file, read and validated: every problem at once, each with its path."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from infra.domain.waivers import Waiver
from infra.errors import SettingsError
from infra.settings.base import Name
from infra.settings.load import describe_problem

if TYPE_CHECKING:
    from pathlib import Path

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)]


class _Entry(BaseModel):
    """One waiver as it stands in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Text
    package: Text
    owner: Text
    reason: Reason
    expires: date
    stacks: tuple[Name, ...] = ()


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    waivers: tuple[_Entry, ...] = Field(default=())


def load_waivers(path: Path, *, source: str) -> tuple[Waiver, ...]:
    """Return the waivers in `path`; raise `SettingsError` (naming `source`) when it is missing or does not validate."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(source, ["does not exist"], mend="write `waivers: []` into it") from None
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(source, [f"is not YAML: {error}"]) from None
    try:
        entries = _File.model_validate(document or {}).waivers
    except ValidationError as error:
        problems = [describe_problem(detail) for detail in error.errors()]
        raise SettingsError(source, problems, mend="docs/gate.md shows a waiver") from None
    return tuple(Waiver(**entry.model_dump()) for entry in entries)
