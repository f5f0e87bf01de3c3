"""Push images to the lab's registry without leaving the password in a file or an argument."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import RegistryError, ToolError
from infra.lab import registry
from infra.lab.docker import docker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.lab.folder import LabFolder
    from infra.lab.plan import AddressPlan
    from infra.toolchain.progress import Progress

PUSH_SECONDS = 600.0
HELPER = "acp-lab-environment"
# Docker asks this program for the login; it answers from the environment docker itself was started with.
HELPER_TEXT = """#!/bin/sh
[ "$1" = get ] || exit 1
printf '{"Username": "%s", "Secret": "%s"}\\n' "$ACP_LAB_USERNAME" "$ACP_LAB_PASSWORD"
"""


def login_environment(home: Path, environment: Mapping[str, str], word: str) -> dict[str, str]:
    """Fill the folder `home` with a docker configuration; return the environment to run docker in."""
    (home / "config.json").write_text(json.dumps({"credsStore": HELPER}), encoding="ascii")
    helper = home / f"docker-credential-{HELPER}"
    helper.write_text(HELPER_TEXT, encoding="ascii")
    helper.chmod(0o700)
    return {
        **environment,
        "DOCKER_CONFIG": str(home),
        "PATH": f"{home}{os.pathsep}{environment.get('PATH', os.defpath)}",
        "ACP_LAB_USERNAME": registry.USERNAME,
        "ACP_LAB_PASSWORD": word,
    }


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
    with registry.client(folder, plan) as http, tempfile.TemporaryDirectory(prefix="acp-lab-") as home:
        environment = login_environment(Path(home), os.environ, registry.password(folder))
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
