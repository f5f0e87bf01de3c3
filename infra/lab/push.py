"""Push images to the lab's registry without leaving the password in a file or an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.registry_login import docker_login
from infra.errors import RegistryError, ToolError
from infra.lab import registry
from infra.lab.docker import docker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan
    from infra.toolchain.progress import Progress

PUSH_SECONDS = 600.0


def lab_login(folder: LabFolder, plan: AddressPlan) -> AbstractContextManager[dict[str, str]]:
    """Return the environment that docker pushes to the lab's registry in."""
    return docker_login(plan.registry_server, registry.USERNAME, registry.password(folder))


def push_missing(
    folder: LabFolder,
    plan: AddressPlan,
    images: Mapping[str, tuple[str, str]],
    pushed: Mapping[str, str],
    progress: Progress,
) -> dict[str, str]:
    """Push what the registry lacks of `images` (name there → local tag, image id).

    `pushed` and the result say what is there: name → `<image id> <digest>`.
    """
    result: dict[str, str] = {}
    with registry.client(folder, plan) as http, lab_login(folder, plan) as environment:
        for name, (local, identity) in images.items():
            known_identity, _, known_digest = pushed.get(name, "").partition(" ")
            if known_identity == identity and known_digest and registry.digest(http, name) == known_digest:
                result[name] = pushed[name]
                continue
            with progress.work(f"image {name}", "pushing it to the lab's registry"):
                _push(f"{plan.registry_server}/{name}", local, environment)
            result[name] = f"{identity} {registry.digest(http, name)}"
    return result


def _push(target: str, local: str, environment: Mapping[str, str]) -> None:
    docker("tag", local, target)
    try:
        docker("push", "--quiet", target, timeout_seconds=PUSH_SECONDS, env=environment)
    except ToolError as error:
        mend = "run `acp-release lab up` again; `acp-release lab status` says how the registry is"
        raise RegistryError(f"push failed: {error.what}", where=target, mend=mend) from None
