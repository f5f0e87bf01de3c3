"""Tags in the registry: the digest of one, one more for a digest, and the labels behind it; nothing is pulled."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from infra.adapters.process import run
from infra.adapters.registry import image_error
from infra.adapters.registry_login import docker_login
from infra.adapters.tools import tool
from infra.errors import RegistryError

TIMEOUT_SECONDS = 120.0
VERSION_LABEL = "org.opencontainers.image.version"
DIGEST = re.compile(r"^Digest:\s+(sha256:[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTags:
    """One registry with its login."""

    server: str
    username: str
    password: str

    def pinned(self, repository: str, tag: str) -> str:
        """Return `repository@sha256:…` of a tag; raise `ImageMissingError` when it is not there."""
        reference = f"{repository}:{tag}"
        status, output, errors = self._call(inspect_argv(reference))
        found = DIGEST.search(output)
        if status != 0 or found is None:
            raise image_error(reference, errors or output)
        return f"{repository}@{found.group(1)}"

    def add(self, pinned: str, tag: str) -> None:
        """Let `tag` name the digest too; a tag that names another one is moved."""
        repository = pinned.partition("@")[0]
        status, _, errors = self._call(copy_argv(pinned, f"{repository}:{tag}"))
        if status != 0:
            last = next((line for line in reversed(errors.splitlines()) if line.strip()), "no reason given")
            raise RegistryError(f"{repository}:{tag} was not made: {last}", mend="may this login push? Run it again")

    def labels(self, pinned: str) -> dict[str, str]:
        """Return the labels of a digest; none where it is an image of several platforms."""
        status, output, errors = self._call(config_argv(pinned))
        if status != 0:
            raise image_error(pinned, errors or output)
        return (json.loads(output).get("config") or {}).get("Labels") or {}

    def _call(self, argv: list[str]) -> tuple[int, str, str]:
        with docker_login(self.server, self.username, self.password) as environment:
            done = run(
                [tool(argv[0]), *argv[1:]],
                timeout_seconds=TIMEOUT_SECONDS,
                env=environment,
                redact_values=[self.password],
                check=False,
            )
        return done.exit_status, done.stdout, done.stderr


def inspect_argv(reference: str) -> list[str]:
    """Return the command that prints the digest of a tag; its `--format` prints it for an index only."""
    return ["docker", "buildx", "imagetools", "inspect", reference]


def config_argv(pinned: str) -> list[str]:
    """Return the command that prints an image's configuration as JSON, or one for each platform by its name."""
    return ["docker", "buildx", "imagetools", "inspect", pinned, "--format", "{{json .Image}}"]


def copy_argv(pinned: str, target: str) -> list[str]:
    """Return the command that copies a manifest as it is; `imagetools create` would wrap it into an index."""
    return ["cosign", "copy", "--force", pinned, target]
