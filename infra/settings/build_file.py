"""What `acp-release build` left: a file from another job, so it is validated like any input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints, ValidationError

from infra.errors import SettingsError
from infra.settings.base import Model, Name, Tag
from infra.settings.load import describe_problem

if TYPE_CHECKING:
    from pathlib import Path

MEND = "`acp-release build --stack STACK --save FILE` makes it"
Pinned = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]


class BuildFile(Model):
    """The tag and the digests of one build; `built` names the images that the run made, not found in the registry."""

    image_tag: Tag
    commit: str
    images: dict[Name, Pinned] = Field(min_length=1)
    built: tuple[Name, ...] = ()


def read_build_file(path: Path) -> BuildFile:
    """Return the file's content; raise `SettingsError` with every problem."""
    try:
        return BuildFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SettingsError(str(path), [f"cannot be read: {error.strerror}"], mend=MEND) from None
    except ValidationError as error:
        problems = [describe_problem(detail) for detail in error.errors()]
        raise SettingsError(str(path), problems, mend=MEND) from None
