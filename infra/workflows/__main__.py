"""`python -m infra.workflows FILE…`: judge workflows by this repository's rules. Exit status 1 with a breach."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.workflows.document import read_workflow
from infra.workflows.rules import breaches


def main(arguments: list[str]) -> int:
    """Print every breach and return the exit status."""
    found = [line for name in arguments for line in breaches(read_workflow(Path(name)))]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
