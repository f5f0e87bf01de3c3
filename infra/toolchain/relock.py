"""`python -m infra.toolchain.relock [--upgrade]`: renew the hashed locks, without an index address in them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from infra.toolchain import places, versions
from infra.toolchain.version_text import show

if TYPE_CHECKING:
    from collections.abc import Sequence

# Tests run against the very versions of a release: the second lock is bound to the first.
LOCKS = (("runtime", ()), ("dev", ("--constraints", "requirements/runtime.txt")))
LOCK_SECONDS = 300


def lock_argv(name: str, constraints: Sequence[str], *, upgrade: bool) -> list[str]:
    """Return the command that writes `requirements/<name>.txt`; it keeps the versions there unless told to upgrade."""
    options = ["--quiet", "--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    return [
        *("uv", "pip", "compile", *options, "--python-version", show(versions.PYTHON), *constraints),
        *(["--upgrade"] if upgrade else []),
        *(f"requirements/{name}.in", "--output-file", f"requirements/{name}.txt"),
    ]


def main(arguments: Sequence[str]) -> int:
    """Renew both locks and return the exit code of the first that fails, or 0."""
    checkout = places.find().checkout
    for name, constraints in LOCKS:
        argv = lock_argv(name, constraints, upgrade="--upgrade" in arguments)
        status = subprocess.run(argv, cwd=checkout, timeout=LOCK_SECONDS, check=False).returncode
        if status != 0:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
