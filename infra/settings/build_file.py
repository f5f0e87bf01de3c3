"""What `acp-release build` left: a file from another job, so it is validated like any input."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, StringConstraints, ValidationError

from infra.errors import GateError, SettingsError, UsageError
from infra.settings.base import Model, Name, Tag
from infra.settings.load import describe_problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE_VARIABLE = "ACP_BUILD_FILE"
HASH_VARIABLE = "ACP_BUILD_HASH"
MEND = "`acp-release build --stack STACK --save FILE` makes it"
Pinned = Annotated[str, StringConstraints(pattern=r"^[^\s@]+@sha256:[0-9a-f]{64}$")]


class BuildFile(Model):
    """The tag and the digests of one build; `built` names the images that the run made, not found in the registry."""

    image_tag: Tag
    commit: str
    images: dict[Name, Pinned] = Field(min_length=1)
    built: tuple[Name, ...] = ()


def read_build_file(path: Path, *, expected_hash: str | None = None) -> BuildFile:
    """Return the file's content; raise `SettingsError` with every problem.

    With `expected_hash`, which came another way than the file, raise `GateError` when the build did not write this one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(str(path), [f"cannot be read: {error.strerror}"], mend=MEND) from None
    found = hash_of(content)
    if expected_hash is not None and found != expected_hash:
        raise GateError(
            f"{path} is not what the build wrote",
            where=f"its hash is {found}, that of the build {expected_hash or 'missing'}",
            mend=f"take file and hash of one build; {MEND}; nothing was changed",
        )
    try:
        return BuildFile.model_validate_json(content)
    except ValidationError as error:
        problems = [describe_problem(detail) for detail in error.errors()]
        raise SettingsError(str(path), problems, mend=MEND) from None


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def awaited_build(environ: Mapping[str, str], root: Path) -> BuildFile | None:
    """Return the build that an update is to release, None where the environment names none.

    A file without a hash is taken as it is. A hash that is set and empty is refused: it got lost on the way.
    """
    name, expected = environ.get(FILE_VARIABLE), environ.get(HASH_VARIABLE)
    if name:
        return read_build_file(root / name, expected_hash=expected)
    if expected:
        raise UsageError(f"{HASH_VARIABLE} is set without {FILE_VARIABLE}", mend="set both; nothing was changed")
    return None
