"""What every workflow here must hold to, beyond what actionlint and zizmor ask; each rule returns its breaches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.workflows.document import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.workflows.document import Workflow

PROGRAMS = ("acp-release", "pulumi", "make")
AS_ROOT = 'sudo env "PATH=$PATH" make '
"""How a hosted runner's user runs what only root may: with the tools that earlier steps put on PATH."""
FORBIDDEN_TRIGGERS = ("pull_request_target", "workflow_run")
STACKS = ("staging", "production")
SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|\[)")
PINNED = re.compile(r"uses:\s*[^@\s]+@[0-9a-f]{40}\s+#\s*v\d")
SHELL = re.compile(r"[;&|<>`\n]|\$\(|\$\{(?!\{)")
WORD = re.compile(r'(?:"\$[A-Z_]+"|"[^"$`\\]*"|[A-Za-z0-9_./:=,@-]+)')
MOVING = re.compile(r"(^|[:-])latest$", re.IGNORECASE)


def breaches(workflow: Workflow, secrets: frozenset[str]) -> list[str]:
    """Return everything a workflow does against the rules; `secrets` are those that the stacks' programs read."""
    found = [f"{workflow.name}: triggered by {name}" for name in workflow.triggers if name in FORBIDDEN_TRIGGERS]
    if workflow.content.get("permissions") != {}:
        found.append(f"{workflow.name}: `permissions: {{}}` must stand on top")
    found += [
        f"{workflow.name}: not pinned by commit with its version behind it: {line.strip()}"
        for line in workflow.text.splitlines()
        if re.match(r"\s*(- )?uses:", line) and not PINNED.search(line)
    ]
    for job_id, job in workflow.jobs.items():
        found += [f"{workflow.name}: {job_id}: {problem}" for problem in _job(workflow, job, secrets)]
    for place, step in workflow.steps():
        found += [f"{place}: {problem}" for problem in _step(step)]
    return found


def _job(workflow: Workflow, job: Mapping[str, Any], secrets: frozenset[str]) -> list[str]:
    """Return what is wrong with one job."""
    found = [f"has no {key}" for key in ("permissions", "timeout-minutes", "runs-on") if not job.get(key)]
    environments = environments_of(job)
    found += _secrets(job, environments, secrets)
    deploys = [name for name in environments if name in STACKS]
    concurrency = job.get("concurrency") or {}
    for stack in deploys:
        if not isinstance(concurrency, dict) or concurrency.get("group") != f"stack-{stack}":
            found.append(f"deploys to {stack} outside of the concurrency group stack-{stack}")
    groups = (workflow.content.get("concurrency"), concurrency)
    if deploys and any(
        isinstance(group, dict) and group.get("cancel-in-progress") != "false" for group in groups if group
    ):
        found.append("a deploy may be cancelled")
    return found + [f"{text!r} moves" for text in texts(job) if MOVING.search(text)]


def environments_of(job: Mapping[str, Any]) -> list[str]:
    """Return the Environments that a job may be bound to: one, or those an expression chooses from."""
    value = job.get("environment") or ""
    name = str(value.get("name", "")) if isinstance(value, dict) else str(value)
    if "${{" not in name:
        return [name] if name else []
    chosen = re.findall(r"(?:&&|\|\|)\s*'([a-z-]+)'", name)
    return chosen or ["?"]


def _secrets(job: Mapping[str, Any], environments: Iterable[str], known: frozenset[str]) -> list[str]:
    """Return secrets that nobody knows, and those used outside of the Environment they belong to."""
    stacks = {name.removesuffix("-preview") for name in environments}
    found: list[str] = []
    for text in texts(job):
        for name in SECRET.findall(text):
            owner = next((stack for stack in STACKS if name.startswith(f"{stack.upper()}_")), None)
            if name not in known:
                found.append(f"secret {name or 'by an expression'} is not one that the program reads")
            elif not stacks or (owner is not None and owner not in stacks):
                found.append(f"secret {name} outside of its Environment")
    return found


def _step(step: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with one step."""
    command, uses = step.get("run"), str(step.get("uses", ""))
    if uses.startswith("actions/checkout@") and (step.get("with") or {}).get("persist-credentials") != "false":
        return ["leaves its token in the checkout"]
    if command is None:
        return []
    if "${{" in command:
        return ["puts an expression into a command; pass it by `env`"]
    plain = re.sub(f"^{re.escape(AS_ROOT)}", "make ", command.strip())
    if SHELL.search(plain) or not re.fullmatch(rf"{WORD.pattern}( {WORD.pattern})*", plain):
        return [f"is not one plain command: {plain!r}"]
    program = plain.split()[0]
    return [] if program in PROGRAMS else [f"runs {program}, which set-up does not install"]
