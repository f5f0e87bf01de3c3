"""The docker client of the build machine: one function per question, all through the process adapter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from infra.adapters.process import Completed, run
from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

QUICK_SECONDS = 60.0
NO_VALUE = "<none>"  # what docker prints for an image without a tag or digest


def docker(
    *args: str,
    timeout_seconds: float = QUICK_SECONDS,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """Run `docker` with `args`; raise `ToolError` on failure unless `check` is off."""
    return run(("docker", *args), timeout_seconds=timeout_seconds, env=env, cwd=cwd, check=check)


def try_docker(*args: str, timeout_seconds: float = QUICK_SECONDS) -> Completed | None:
    """Run `docker` and return what it left, None when it failed, hung or is missing."""
    try:
        return docker(*args, timeout_seconds=timeout_seconds)
    except ToolError:
        return None


def _inspect(kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Inspect what exists of `names`; a missing one is left out, a failing engine is an error."""
    if not names:
        return []
    done = docker(kind, "inspect", *names, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    problems = [line for line in done.stderr.splitlines() if line and "no such" not in line.lower()]
    problems = [line for line in problems if "not found" not in line.lower()]
    if problems:
        raise ToolError(f"docker {kind} inspect failed: {problems[0]}", mend="run `acp-release doctor`")
    return found


def containers(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the existing containers among `names`, by name."""
    return {entry["Name"].lstrip("/"): entry for entry in _inspect("container", names)}


def networks(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the existing networks among `names`, by name."""
    return {entry["Name"]: entry for entry in _inspect("network", names)}


def all_networks() -> list[dict[str, Any]]:
    """Return every network of the engine."""
    return _inspect("network", docker("network", "ls", "--quiet").stdout.split())


def image(name: str) -> dict[str, Any] | None:
    """Return the image `name`, None when the engine does not have it."""
    found = _inspect("image", [name])
    return found[0] if found else None


def image_ids() -> dict[str, str]:
    """Return the image id of every local name: `repository:tag`, or `repository@digest` where the tag moved on."""
    columns = "{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}"
    return parse_image_ids(docker("image", "ls", "--no-trunc", "--digests", "--format", columns).stdout)


def parse_image_ids(listing: str) -> dict[str, str]:
    """Read lines of `repository tag digest id`; an image without tag and digest has no name and is left out."""
    found = {}
    for repository, tag, digest, image_id in (line.split(" ", 3) for line in listing.splitlines()):
        if tag != NO_VALUE:
            found[f"{repository}:{tag}"] = image_id
        elif digest != NO_VALUE:
            found[f"{repository}@{digest}"] = image_id
    return found


def labelled(kind: str, label: str) -> list[str]:
    """Return the names of all containers, networks or volumes (`kind`) that carry `label` (`key=value`)."""
    listing = {
        "container": ("container", "ls", "--all", "--format", "{{.Names}}"),
        "network": ("network", "ls", "--format", "{{.Name}}"),
        "volume": ("volume", "ls", "--format", "{{.Name}}"),
    }[kind]
    return docker(*listing, "--filter", f"label={label}").stdout.split()


def remove(kind: str, names: Iterable[str]) -> None:
    """Remove containers, networks, volumes or image tags (`kind`); a missing one is no error."""
    names = list(names)
    if not names:
        return
    force = () if kind == "network" else ("--force",)
    done = docker(kind, "rm", *force, *names, timeout_seconds=120, check=False)
    problems = [line for line in done.stderr.splitlines() if line and "no such" not in line.lower()]
    problems = [line for line in problems if "not found" not in line.lower()]
    if done.exit_status != 0 and problems:
        raise ToolError(f"docker {kind} rm failed: {problems[0]}", mend="remove what uses it, then run this again")
