"""What every part of the settings is made of: the frozen model and the types its keys share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
# With the longest version and two digits of replicas, `acp-<release id>-<name>-<n>` is 63 characters: a DNS label.
ComposeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,13}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
ReleaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Model(BaseModel):
    """A part of the settings: immutable, and a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
