"""What `pulumi preview` says: which resources change and why, the digests it found, and the change in words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.process import run
from infra.adapters.pulumi_cli import stack_outputs
from infra.errors import ToolError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREVIEW_SECONDS = 600.0
HISTORY_SECONDS = 120.0
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that only the update will know."""
SCAN, PREFLIGHT = "acp:Scan", "acp:Preflight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One preview; `release` and images are empty where only the update will know them."""

    release: str
    images: Mapping[str, str]
    changes: tuple[str, ...]
    steps: tuple[str, ...]


def run_preview(stack: str, environ: Mapping[str, str]) -> Preview:
    """Run a preview of what the environment `environ` asks for; raise `ToolError` with its reason when it fails."""
    argv = ["pulumi", "preview", "--stack", stack, "--json", "--show-sames", "--non-interactive", "--suppress-progress"]
    done = run(
        [*argv, "--cwd", str(PROJECT_ROOT)],
        timeout_seconds=PREVIEW_SECONDS,
        env=environ,
        check=False,
    )
    document = _first_object(done.stdout)
    messages = [str(item.get("message", "")).strip() for item in document.get("diagnostics", []) if _is_error(item)]
    if done.exit_status != 0 or messages or "steps" not in document:
        text = "\n".join(messages) or done.stderr.strip() or done.stdout.strip()[-2000:]
        raise ToolError(f"the preview of {stack} failed:\n{text}", mend="nothing was changed")
    return read_preview(document)


def read_preview(document: Mapping[str, Any]) -> Preview:
    """Return the parts of a preview's JSON that an approval is about; no input's value but names and digests."""
    steps = list(document.get("steps", []))
    inputs = [(str(step["urn"]), (step.get("newState") or {}).get("inputs") or {}) for step in steps]
    preflight = next((values for urn, values in inputs if PREFLIGHT in urn), {})
    return Preview(
        release=_known(preflight.get("release")),
        images={
            str(values["name"]): _known(values.get("image"))
            for urn, values in inputs
            if SCAN in urn and _known(values.get("image"))
        },
        changes=tuple(_words(document.get("diagnostics", []))),
        steps=tuple(sorted(_step(step) for step in steps if step["op"] not in {"same", "read"})),
    )


def stack_head(stack: str) -> dict[str, str]:
    """Return the end of a stack's history: the release recorded, and the last update, failed ones too."""
    outputs = stack_outputs(stack)
    entry = outputs.get("release_entry") or {}
    argv = ["pulumi", "stack", "history", "--json", "--stack", stack, "--page-size", "1", "--cwd", str(PROJECT_ROOT)]
    done = run([*argv, "--non-interactive"], timeout_seconds=HISTORY_SECONDS, check=False)
    updates = json.loads(done.stdout or "[]") if done.exit_status == 0 else []
    last = updates[0] if updates else {}
    return {
        "release": str(outputs.get("release") or ""),
        "run": str(entry.get("run_id") or ""),
        "last update": " ".join(str(last[key]) for key in ("kind", "startTime", "result") if last.get(key)),
    }


def _first_object(text: str) -> dict[str, Any]:
    """Return the JSON object that `text` begins with, after anything that was printed before it."""
    start = text.find("{")
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_error(diagnostic: Mapping[str, Any]) -> bool:
    return diagnostic.get("severity") == "error"


def _words(diagnostics: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what the program itself said of the change."""
    infos = [str(item.get("message", "")) for item in diagnostics if item.get("severity") == "info"]
    return [line.strip() for text in infos for line in text.splitlines() if line.strip()]


def _step(step: Mapping[str, Any]) -> str:
    """Return one operation in words: what is done to which resource, and because of which inputs."""
    kind, _, name = str(step["urn"]).split("::", 2)[2].rpartition("::")
    reasons = ", ".join(sorted(str(reason) for reason in step.get("diffReasons") or []))
    return f"{step['op']} {kind.rpartition('$')[2]} {name}{f' ({reasons})' if reasons else ''}"


def _known(value: object) -> str:
    return str(value) if isinstance(value, str) and value != UNKNOWN else ""
