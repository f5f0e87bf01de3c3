"""A plan's file: written by a preview, read by the update that was approved; validated like any input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from infra.domain.plan import Plan
from infra.errors import SettingsError
from infra.settings.load import describe_problem

if TYPE_CHECKING:
    from pathlib import Path

MEND = "`acp-release preview --stack STACK --save FILE` makes it"


class PlanFile(BaseModel):
    """The file as it must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    stack: str
    commit: str
    source: dict[str, str]
    built_from: dict[str, str]
    release: str
    images: dict[str, str]
    head: dict[str, str]
    changes: tuple[str, ...]
    steps: tuple[str, ...]


def read_plan(path: Path) -> Plan:
    """Return the plan in a file; raise `SettingsError` with every problem."""
    try:
        file = PlanFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(str(path), [f"cannot be read: {error.strerror}"], mend=MEND) from None
    except ValidationError as error:
        raise SettingsError(str(path), [describe_problem(detail) for detail in error.errors()], mend=MEND) from None
    return Plan(**file.model_dump(exclude={"format"}))


def write_plan(path: Path, plan: Plan) -> None:
    """Write the canonical text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plan.text, encoding="utf-8")
