"""One job as a runner runs it: a fresh home, a fresh workspace, one step after the other."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.workflow.expressions import Scope, condition, interpolate
from tests.support.workflow.results import JobResult, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Equivalent = Callable[["Job", Mapping[str, str]], str]

STEP_SECONDS = 600.0
MASK = "***"
FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")


class StepFailedError(Exception):
    """A step ended badly."""


@dataclass(slots=True, kw_only=True)
class Job:
    """A job that runs. `equivalents` stand for actions (by name without version) and for commands (by their text)."""

    name: str
    content: Mapping[str, Any]
    folder: Path
    contexts: dict[str, Any]
    environment: dict[str, str]
    secrets: Mapping[str, str]
    equivalents: Mapping[str, Equivalent]
    steps: dict[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def workspace(self) -> Path:
        """Return the folder that steps run in."""
        return self.folder / "workspace"

    def run(self) -> JobResult:
        """Run every step whose condition holds, and return how the job went."""
        for path in (self.workspace, self.folder / "home", self.folder / "files"):
            path.mkdir(parents=True)
        result = JobResult(name=self.name)
        self.contexts["steps"] = self.steps
        self.environment |= {"HOME": str(self.folder / "home")} | self._interpolated(self.content.get("env") or {})
        for step in self.content["steps"]:
            result.steps.append(self._step(step, result))
        result.result = "failure" if self.failed else "success"
        for key, text in (self.content.get("outputs") or {}).items():
            result.outputs[key] = interpolate(text, self.scope)
        return result

    @property
    def scope(self) -> Scope:
        """Return what expressions of a step may name."""
        functions = {
            "success": lambda: not self.failed,
            "failure": lambda: self.failed,
            "cancelled": lambda: False,
            "always": lambda: True,
            "hashFiles": self._hash_files,
        }
        return Scope(contexts=self.contexts, functions=functions)

    def _hash_files(self, pattern: str) -> str:
        return "found" if any(self.workspace.glob(pattern)) else ""

    def _interpolated(self, values: Mapping[str, str]) -> dict[str, str]:
        return {key: interpolate(text, self.scope) for key, text in values.items()}

    def _step(self, step: Mapping[str, Any], result: JobResult) -> StepResult:
        name = str(step.get("name") or step.get("run") or step.get("uses"))
        if not condition(step.get("if"), self.scope):
            self._conclude(step, "skipped")
            return StepResult(name=name, outcome="skipped")
        outcome, log = "success", ""
        try:
            log = self._perform(step, result)
        except StepFailedError as error:
            outcome, log, self.failed = "failure", str(error), True
        self._conclude(step, outcome)
        result.leaks |= {key for key, value in self.secrets.items() if value.strip() and value.strip() in log}
        return StepResult(name=name, outcome=outcome, log=self._masked(log))

    def _conclude(self, step: Mapping[str, Any], outcome: str) -> None:
        """Let later expressions read how a step with an id ended."""
        if "id" in step:
            self.steps[step["id"]] = {"outputs": {}, **self.steps.get(step["id"], {}), "outcome": outcome}

    def _perform(self, step: Mapping[str, Any], result: JobResult) -> str:
        equivalent = self.equivalents.get(
            str(step.get("uses", "")).partition("@")[0] or str(step.get("run", "")).strip()
        )
        if equivalent is not None:
            files = self._fresh_files()
            log = equivalent(self, self._interpolated(step.get("with") or {}))
            self._take_over(step, files, result)
            return log
        if "uses" in step:
            message = f"no equivalent of {step['uses']} here"
            raise StepFailedError(message)
        files = self._fresh_files()
        try:
            return self._call(step, files)
        finally:
            self._take_over(step, files, result)

    def _call(self, step: Mapping[str, Any], files: Mapping[str, Path]) -> str:
        """Run a command as GitHub does: `bash -e` on a script."""
        script = self.folder / "files" / "step.sh"
        script.write_text(interpolate(str(step["run"]), self.scope), encoding="utf-8")
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-e", str(script)],
            cwd=self.workspace,
            env={
                **self.environment,
                **self._interpolated(step.get("env") or {}),
                **{k: str(v) for k, v in files.items()},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=STEP_SECONDS,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            message = f"{done.stdout}\nexit status {done.returncode}"
            raise StepFailedError(message)
        return done.stdout

    def _fresh_files(self) -> dict[str, Path]:
        files = {name: self.folder / "files" / name for name in FILES}
        for path in files.values():
            path.write_text("", encoding="utf-8")
        return files

    def _take_over(self, step: Mapping[str, Any], files: Mapping[str, Path], result: JobResult) -> None:
        """Read what a step wrote for later ones."""
        outputs = _pairs(files["GITHUB_OUTPUT"])
        if "id" in step:
            self.steps[step["id"]] = {"outputs": outputs}
        self.environment |= _pairs(files["GITHUB_ENV"])
        for line in files["GITHUB_PATH"].read_text(encoding="utf-8").splitlines():
            self.environment["PATH"] = f"{line}{os.pathsep}{self.environment['PATH']}"
        result.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")

    def _masked(self, text: str) -> str:
        lines = {line for value in self.secrets.values() for line in value.splitlines() if len(line.strip()) > 3}
        for line in sorted(lines, key=len, reverse=True):
            text = text.replace(line, MASK)
        return text


def _pairs(path: Path) -> dict[str, str]:
    """Return `name=value` lines; other forms are refused, as nothing here writes them."""
    pairs = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", line)
        assert found is not None, f"{path.name}: {line!r}"
        pairs[found.group(1)] = found.group(2)
    return pairs
