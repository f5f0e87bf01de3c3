"""What every part of the settings is made of: the frozen model and the types its keys share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

READ_BY_TOOLS = re.compile(
    "(COMPOSE_|DOCKER_|GLIBC_|LD_|PYTHON).*"
    "|BASH_ENV|GCONV_PATH|GODEBUG|HOME|IFS|PATH|SSH_ASKPASS|SSH_AUTH_SOCK|TMPDIR|XDG_CONFIG_HOME|XDG_RUNTIME_DIR"
)
"""Names that docker compose on a host, or what loads it, reads itself; hostctl refuses the same."""


def _not_read_by_tools(name: str) -> str:
    """Return the name of a secret unless it would be more than that."""
    if READ_BY_TOOLS.fullmatch(name):
        msg = f"{name} is read by docker compose itself, which finds the secrets in its environment: rename the secret"
        raise ValueError(msg)
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
# With the longest version and two digits of replicas, `acp-<release id>-<name>-<n>` is 63 characters: a DNS label.
ComposeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,13}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
SecretName = Annotated[EnvironmentName, AfterValidator(_not_read_by_tools)]
Tag = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")]
ReleaseId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


class Model(BaseModel):
    """A part of the settings: immutable, and a key it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
