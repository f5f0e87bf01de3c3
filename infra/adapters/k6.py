"""k6: run with a plan in its environment, and its figures read from the file that the scripts write."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.adapters.environment import plain_environment
from infra.adapters.process import run
from infra.adapters.tools import tool
from infra.errors import ToolError
from infra.toolchain.version_text import parse, show
from infra.toolchain.versions import GO_TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

PASSED, THRESHOLDS_MISSED = 0, 99
VERSION_SECONDS = 20.0
PINNED = next(tool.version for tool in GO_TOOLS if tool.name == "k6")


class Metric(BaseModel):
    """One metric under the tags of one threshold, and whether each of its expressions held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["counter", "gauge", "rate", "trend"]
    values: dict[str, float]
    thresholds: dict[str, bool]


class FailedCheck(BaseModel):
    """A check of an answer that did not hold, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    fails: int


class Summary(BaseModel):
    """What the scripts write at the end of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = Field(gt=0)
    metrics: dict[str, Metric] = Field(min_length=1)
    failed_checks: tuple[FailedCheck, ...]


def k6_argv(script: Path) -> list[str]:
    """Return the command line of a run; everything that differs between runs is in the environment."""
    return [tool("k6"), "run", "--quiet", "--no-usage-report", "--no-color", str(script)]


def require_version() -> str:
    """Return the version of the k6 that is there; raise `ToolError` when it is missing or not the pinned one."""
    done = run([tool("k6"), "version"], timeout_seconds=VERSION_SECONDS)
    found = parse(done.stdout)
    if found is None or show(found) != PINNED:
        raise ToolError(
            f"k6 is {show(found) if found else 'of no known version'}, not {PINNED}: figures would not compare",
            mend="run `make up`: it installs the pinned version",
        )
    return PINNED


def run_k6(
    script: Path, plan: Mapping[str, Any], *, timeout_seconds: float, token: str = "", authority: Path | None = None
) -> Summary:
    """Run a script to its end and return what it measured; a run that was not done as planned is a `ToolError`.

    `authority` is the file of an authority that vouches for the hosts.
    """
    with tempfile.TemporaryDirectory(prefix="acp-k6-") as folder:
        file = Path(folder) / "summary.json"
        done = run(
            k6_argv(script),
            timeout_seconds=timeout_seconds,
            env=_environment(plan, file, token, authority),
            redact_values=[token],
            check=False,
        )
        if done.exit_status not in {PASSED, THRESHOLDS_MISSED}:
            raise ToolError(
                f"k6 did not do the run (exit status {done.exit_status}): {_why(done.stderr)}", where=str(script.name)
            )
        summary = read_summary(file)
    missed = [
        f"{name}: {text}" for name, m in summary.metrics.items() for text, held in m.thresholds.items() if not held
    ]
    if bool(missed) != (done.exit_status == THRESHOLDS_MISSED):
        raise ToolError(
            f"k6 ended with status {done.exit_status}, but its summary has {len(missed)} missed thresholds",
            where=str(script.name),
        )
    return summary


def read_summary(file: Path) -> Summary:
    """Return the summary in a file; one that is missing, empty or of another shape is a `ToolError`."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ToolError(f"k6 left no summary: {error.strerror}") from None
    try:
        return Summary.model_validate(json.loads(text))
    except ValidationError as error:
        raise ToolError(
            f"k6's summary is not as expected: {error.error_count()} problems, first {_first(error)}"
        ) from None
    except ValueError as error:
        raise ToolError(f"k6's summary is not JSON: {error}") from None


def _environment(plan: Mapping[str, Any], summary: Path, token: str, authority: Path | None) -> dict[str, str]:
    kept = plain_environment()
    if authority is not None:
        kept["SSL_CERT_FILE"] = str(authority)
    own = {"ACP_PLAN": json.dumps(plan), "ACP_SUMMARY_FILE": str(summary)}
    return {**kept, **own, **({"ACP_TOKEN": token} if token else {})}


def _why(stderr: str) -> str:
    """Return the last thing that k6 said."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    return lines[-1][-500:] if lines else "it said nothing"


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
