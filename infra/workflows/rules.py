"""What every workflow here must hold to, beyond what actionlint and zizmor ask; each rule returns its breaches."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.settings.ci_secrets import (
    PREVIEW_SUFFIX,
    PULL_REQUEST_SUFFIX,
    REGISTRY_ENVIRONMENT,
    REGISTRY_PASSWORD,
)
from infra.workflows.document import texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.workflows.document import Workflow

PROGRAMS = ("acp-release", "pulumi", "make")
AS_ROOT = 'sudo env "PATH=$PATH" make '
"""How a hosted runner's user runs what only root may: with the tools that earlier steps put on PATH."""
FORBIDDEN_TRIGGERS = ("pull_request_target", "workflow_run")
STACKS = ("staging", "production")
STACK_GROUP = "stack-"
"""How the names of the groups begin in which jobs wait for each other's work on a stack."""
QUEUES = ("single", "max")
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
    found += _concurrency(workflow, job.get("concurrency") or {}, [name for name in environments if name in STACKS])
    return found + [f"{text!r} moves" for text in texts(job) if MOVING.search(text)]


def _concurrency(workflow: Workflow, own: Mapping[str, Any] | str, deploys: Sequence[str]) -> list[str]:
    """Return how a job could work on a stack beside another one, be cancelled, or push out one that waits."""
    of_job: Mapping[str, Any] = {"group": own} if isinstance(own, str) else own
    group = str(of_job.get("group") or "")
    found = [
        f"deploys to {stack} outside of the concurrency group {STACK_GROUP}{stack}"
        for stack in deploys
        if group != f"{STACK_GROUP}{stack}"
    ]
    if group.startswith(STACK_GROUP) and of_job.get("queue") != "max":
        found.append(f"pushes out the job that waits in {group}: it needs `queue: max`")
    both = [block for block in (workflow.content.get("concurrency"), of_job) if isinstance(block, dict) and block]
    found += [f"knows no `queue: {block['queue']}`" for block in both if block.get("queue", "single") not in QUEUES]
    if deploys and any(block.get("cancel-in-progress") != "false" for block in both):
        found.append("a deploy may be cancelled")
    return found


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
    found: list[str] = []
    for text in texts(job):
        for name in SECRET.findall(text):
            if name not in known:
                found.append(f"secret {name or 'by an expression'} is not one that the program reads")
            elif not any(_belongs(name, environment) for environment in environments):
                found.append(f"secret {name} outside of its Environment")
    return found


def _belongs(name: str, environment: str) -> bool:
    """Return whether a secret is one of an Environment: its stack's, or the registry's."""
    if environment == REGISTRY_ENVIRONMENT:
        return name.endswith(REGISTRY_PASSWORD)
    owner = next((stack for stack in STACKS if name.startswith(f"{stack.upper()}_")), None)
    return owner in {None, environment.removesuffix(PREVIEW_SUFFIX).removesuffix(PULL_REQUEST_SUFFIX)}


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
