"""`python -m infra.toolchain.lint`: every static check, each on the files it is for; all run, whatever fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.toolchain import places
from infra.toolchain.process import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CHECK_SECONDS = 900
SHELL_LINES = (b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash", b"#!/usr/bin/env sh")


def is_dockerfile(path: Path) -> bool:
    """Tell whether Docker builds from `path`."""
    return path.name == "Dockerfile" or path.suffix == ".Dockerfile"


def is_compose(path: Path) -> bool:
    """Tell whether `path` is a compose file."""
    return path.suffix in {".yaml", ".yml"} and (path.parts[0] == "compose" and len(path.parts) == 2)  # noqa: PLR2004 - compose/<name>


def is_workflow(path: Path) -> bool:
    """Tell whether `path` is a GitHub workflow."""
    return path.suffix in {".yaml", ".yml"} and path.parts[:2] == (".github", "workflows")


def is_github(path: Path) -> bool:
    """Tell whether GitHub acts on `path`: a workflow, or what Dependabot is told."""
    return is_workflow(path) or path == Path(".github/dependabot.yml")


def is_shell(path: Path) -> bool:
    """Tell whether `path` is a shell script, by its name or its first line."""
    if path.suffix == ".sh":
        return True
    if path.suffix:
        return False
    with path.open("rb") as source:
        return source.readline(80).strip().startswith(SHELL_LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One static check: its command, and the files it gets (None: it finds its own)."""

    argv: tuple[str, ...]
    takes: Callable[[Path], bool] | None = None

    def command(self, files: Iterable[Path]) -> list[str] | None:
        """Return the command for those of `files` that are for this check, or None when there are none."""
        if self.takes is None:
            return list(self.argv)
        chosen = [str(path) for path in files if self.takes(path)]
        return [*self.argv, *chosen] if chosen else None


CHECKS = (
    Check(argv=("ruff", "check", "--quiet")),
    Check(argv=("ruff", "format", "--check", "--quiet")),
    Check(argv=("mypy", "--no-error-summary")),
    Check(argv=("hadolint",), takes=is_dockerfile),
    Check(argv=("compose-lint", "check"), takes=is_compose),
    Check(argv=("shellcheck",), takes=is_shell),
    Check(argv=("actionlint",), takes=is_workflow),
    Check(argv=("zizmor", "--offline", "--quiet", "--persona", "pedantic"), takes=is_github),
    Check(argv=("python", "-m", "infra.workflows"), takes=is_workflow),
)


def tracked(checkout: Path) -> list[Path]:
    """Return every file of the checkout that git does not ignore, relative to it."""
    listed = ask(["git", "-C", str(checkout), "ls-files", "--cached", "--others", "--exclude-standard"]) or ""
    return [Path(line) for line in listed.splitlines() if (checkout / line).is_file()]


def run(checks: Sequence[Check], checkout: Path) -> list[str]:
    """Run the checks, print one line and all findings of each, and return the names of those that failed."""
    files = tracked(checkout)
    failed = []
    for check in checks:
        command = check.command(files)
        name = " ".join(check.argv[:2])
        if command is None:
            print(f"lint: {name}: no files", flush=True)
            continue
        done = subprocess.run(
            command,
            cwd=checkout,
            timeout=CHECK_SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"lint: {name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    return failed


def main() -> int:
    """Run every check and return 0 when all pass, else 1."""
    failed = run(CHECKS, places.find().checkout)
    if failed:
        print(f"lint: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
