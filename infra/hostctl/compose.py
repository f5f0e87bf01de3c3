"""docker compose: command lines and documents (pure), and their running."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .redact import Redactor
    from .runner import Runner
    from .spec import ReleaseSpec

UP_TIMEOUT_SECONDS = 180.0
UP_MARGIN_SECONDS = 30.0
"""What `up` takes beside the waiting for containers on which others depend."""
CAUSES = (
    ("port_taken", ("port is already allocated", "address already in use")),
    ("disk_full", ("no space left on device",)),
    ("network_missing", ("network", "could not be found")),
)


def up_argv(project: str, folder: Path, services: Sequence[str] = (), options: Sequence[str] = ()) -> list[str]:
    """Return the command line that starts a project from a document on stdin, without pulling or building."""
    return [
        *(
            "docker",
            "compose",
            "--project-name",
            project,
            "--project-directory",
            str(folder),
            "--env-file",
            "/dev/null",
            "--file",
            "-",
        ),
        *("up", "--detach", "--no-build", "--pull", "never", "--quiet-pull", *options, *services),
    ]


def up_seconds(spec: ReleaseSpec) -> float:
    """Return how long `up` of a release may take: with `depends_on` it waits until containers are healthy."""
    longest = max(service.ready_timeout_seconds for service in spec.services)
    return max(UP_TIMEOUT_SECONDS, longest + UP_MARGIN_SECONDS)


def version_argv() -> list[str]:
    """Return the command line that says the version of compose."""
    return ["docker", "compose", "version", "--short"]


def on_trial(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a release's document for its trial: Docker starts none of its containers again by itself."""
    changed = copy.deepcopy(dict(document))
    for service in changed["services"].values():
        service["restart"] = "no"
        service.pop("pull_policy", None)
        if isinstance(service.get("deploy"), dict):
            service["deploy"].pop("restart_policy", None)  # it would count instead of `restart`
    return changed


class Compose:
    """Runs docker compose; secrets are given as environment for interpolation."""

    def __init__(self, runner: Runner, folder: Path, redactor: Redactor) -> None:
        """Use `folder` as an empty project directory."""
        self._runner = runner
        self._folder = folder
        self._redactor = redactor

    def version(self) -> str:
        """Return compose's version, or raise `unsupported_host`."""
        finished = self._runner.run(version_argv(), timeout_seconds=20)
        if finished.status != 0:
            raise HostctlError("unsupported_host", "`docker compose` is missing: install Compose v2")
        return finished.output.strip().lstrip("v")

    def up(
        self,
        project: str,
        document: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        services: Sequence[str] = (),
        options: Sequence[str] = (),
        timeout_seconds: float = UP_TIMEOUT_SECONDS,
    ) -> None:
        """Create and start a project's containers; raise with compose's own words, secrets masked."""
        self._folder.mkdir(parents=True, exist_ok=True)
        argv = up_argv(project, self._folder, services, options)
        finished = self._runner.run(
            argv, stdin=json.dumps(document), environment=secrets, timeout_seconds=timeout_seconds
        )
        if finished.status != 0:
            raise up_error(project, self._redactor.text(finished.errors))


def up_error(project: str, errors: str) -> HostctlError:
    """Return a failed `up` with the code of its cause."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    lower = errors.lower()
    code = next(
        (
            code
            for code, signs in CAUSES
            if (all if code == "network_missing" else any)(sign in lower for sign in signs)
        ),
        "compose_failed",
    )
    reason = lines[-1] if lines else "no message"
    return HostctlError(code, f"docker compose could not start {project}: {reason}", output=lines[-10:])
