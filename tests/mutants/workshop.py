"""Copies of the project in which one module at a time is broken and its tests are run."""

from __future__ import annotations

import compileall
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutants.operators import Mutant

TIMEOUT_SECONDS = 180
"""Of the tests of one mutant; a mutant that never ends has been noticed."""
NOTICED, PASSED = 1, 0
"""What pytest ends with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant; `noticed_by` is the first test that failed, empty when none did."""

    mutant: Mutant
    noticed_by: str
    seconds: float


class BenchError(Exception):
    """The tests could not be run at all, so that nothing is known of the mutant."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One copy of the project."""

    folder: Path

    def run(self, tests: Sequence[str]) -> str:
        """Run tests up to the first that fails and return its name, empty when all pass."""
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            "--assert=plain",
            *tests,
        ]
        try:
            done = subprocess.run(
                argv,
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=TIMEOUT_SECONDS,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        except subprocess.TimeoutExpired:
            return f"no end in {TIMEOUT_SECONDS} s"
        if done.returncode == PASSED:
            return ""
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if done.returncode != NOTICED and not failed:
            raise BenchError(f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return failed[0].partition(" ")[2].partition(" - ")[0] if failed else "the run"

    def try_out(self, mutant: Mutant, tests: Sequence[str]) -> Outcome:
        """Break the module, run its tests, and mend it."""
        path, began = self.folder / mutant.module, time.monotonic()
        original = path.read_bytes()
        try:
            path.write_text(mutant.text, encoding="utf-8")
            found = self.run(tests)
        finally:
            path.write_bytes(original)
        return Outcome(mutant=mutant, noticed_by=found, seconds=time.monotonic() - began)


@contextmanager
def opened(workers: int) -> Iterator[queue.Queue[Bench]]:
    """Yield as many copies of what git tracks here, changes that are not committed included."""
    listed = run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], timeout_seconds=60, cwd=PROJECT_ROOT
    )
    with tempfile.TemporaryDirectory(prefix="acp-mutants-") as made:
        folders = [Path(made) / str(index) for index in range(workers)]
        for name in listed.stdout.splitlines():
            if (PROJECT_ROOT / name).is_file():
                (folders[0] / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT_ROOT / name, folders[0] / name)
        # A module that is broken later has another time than its compiled form, and is compiled anew.
        compileall.compile_dir(folders[0], quiet=1)
        benches: queue.Queue[Bench] = queue.Queue()
        for folder in folders:
            if folder is not folders[0]:
                shutil.copytree(folders[0], folder, symlinks=True)
            benches.put(Bench(folder))
        yield benches


def try_all(
    benches: queue.Queue[Bench], work: Sequence[tuple[Mutant, Sequence[str]]], *, workers: int
) -> Iterator[Outcome]:
    """Yield what became of each mutant, in the order of `work`."""

    def try_one(item: tuple[Mutant, Sequence[str]]) -> Outcome:
        bench = benches.get()
        try:
            return bench.try_out(*item)
        finally:
            benches.put(bench)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(try_one, work)
