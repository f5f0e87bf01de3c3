"""`python -m infra.workflows FILE…`: judge workflows by this repository's rules. Exit status 1 with a breach."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file
from infra.settings.ci_secrets import ci_secrets, optional_secrets
from infra.workflows.document import read_workflow
from infra.workflows.rules import STACKS, breaches


def known_secrets() -> frozenset[str]:
    """Return every secret that the program reads for a stack that the workflows deploy, or that Pulumi reads."""
    settings = [load_stack_file(stack, PROJECT_ROOT) for stack in STACKS]
    return frozenset().union(*(ci_secrets(stack) | optional_secrets(stack) for stack in settings))


def main(arguments: list[str]) -> int:
    """Print every breach and return the exit status."""
    secrets = known_secrets()
    found = [line for name in arguments for line in breaches(read_workflow(Path(name)), secrets)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
