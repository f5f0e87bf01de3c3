"""A run without a lab: every program answers as told, so that only what the YAML decides is looked at."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.settings.ci_secrets import PREVIEW_SUFFIX, PULL_REQUEST_SUFFIX, REGISTRY_ENVIRONMENT
from infra.toolchain.places import Places
from infra.workflows.document import Workflow, read_workflow
from tests.support.workflow.equivalents import equivalents
from tests.support.workflow.run import Run, Setting
from tests.support.world import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.workflow.results import RunResult

WORKFLOWS = CHECKOUT / ".github" / "workflows"
SUFFIXES = ("", PREVIEW_SUFFIX, PULL_REQUEST_SUFFIX)
NAMES = (
    "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY", "LLM_ENDPOINT", "EMBEDDING_ENDPOINT",
    "SETUP_SSH_KEY", "DEPLOY_SSH_KEY", "RELEASE_SSH_KEY",
)  # fmt: skip
SARIF = {"version": "2.1.0", "runs": [{"automationDetails": {"id": "trivy/x"}}]}
SCRIPT = """#!{python} -IS
import json, os, sys
plan = json.load(open({plan!r}))
name = os.path.basename(sys.argv[0])
words = [name, *sys.argv[1:2]]
stack = sys.argv[sys.argv.index("--stack") + 1] if "--stack" in sys.argv else ""
with open({calls!r}, "a") as file:
    file.write(json.dumps({{"argv": [name, *sys.argv[1:]], "env": dict(os.environ)}}) + "\\n")
if " ".join(words) in {real!r}:
    os.execv({python!r}, [{python!r}, "-c", "from infra.cli.main import main; main()", *sys.argv[1:]])
answer = plan.get(" ".join([*words, stack])) or plan.get(" ".join(words)) or {{}}
for path, text in answer.get("files", {{}}).items():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(text)
for key, value in answer.get("outputs", {{}}).items():
    open(os.environ["GITHUB_OUTPUT"], "a").write(key + "=" + value + "\\n")
print(answer.get("says", "done"))
sys.exit(answer.get("status", 0))
"""
ANSWERS: dict[str, dict[str, Any]] = {
    "acp-release build": {
        "outputs": {"image_tag": "v1.4.2", "build_hash": "5a1e"},
        "files": {"reports/build.json": "{}"},
    },
    "acp-release scan": {
        "files": {
            "reports/gate/staging/acp-ingest/scan.sarif": json.dumps(SARIF),
            "reports/gate/staging/x/verdict.json": "",
        }
    },
    "acp-release preview": {"outputs": {"plan_hash": "0f3a"}, "files": {"reports/plan.json": "{}"}},
    "acp-release docs": {"files": {"reports/docs/index.html": "<html></html>"}},
}


def secrets_of(stack: str) -> dict[str, str]:
    """Return a value for each secret that an Environment of a stack has."""
    shared = ("OPENAI_API_KEY", "PULUMI_CONFIG_PASSPHRASE")
    return {name: f"value of {name}" for name in (*(f"{stack.upper()}_{n}" for n in NAMES), *shared)}


@dataclass(slots=True, kw_only=True)
class FakeRun:
    """One run in `folder`; `answers` by program, command and perhaps stack, laid over those of a good run.

    `secrets` and `variables` are laid over those of Environments and repository.
    """

    folder: Path
    answers: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    event: Mapping[str, Any] = field(default_factory=dict)
    real: frozenset[str] = frozenset()

    def run(self, workflow: str | Workflow = "deploy.yml", **inputs: str) -> RunResult:
        """Run a workflow to its end."""
        read = read_workflow(WORKFLOWS / workflow) if isinstance(workflow, str) else workflow
        environments = {
            f"{stack}{suffix}": secrets_of(stack) for stack in ("staging", "production") for suffix in SUFFIXES
        }
        for name in (*environments, REGISTRY_ENVIRONMENT):
            environments[name] = {**environments.get(name, {}), **self.secrets.get(name, {})}
        setting = Setting(
            folder=self.folder / "jobs",
            environments=environments,
            variables={"PULUMI_BACKEND_URL": "file:///state", **self.variables},
            token="token of the run",
            runner={
                "PATH": str(self._runner_tools()),
                "CI": "true",
                "GITHUB_RUN_ID": "7",
            },
            equivalents=equivalents(self.folder / "artifacts", self._check_out, self._places()),
            rejected=self.rejected,
            cancelled=self.cancelled,
        )
        github = {"repository": "example/analyst-copilot", "ref": "refs/heads/main", "event": self.event}
        return Run(workflow=read, setting=setting, github=github, inputs=inputs).complete()

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Return arguments and environment of every call, in order."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    @property
    def commands(self) -> list[str]:
        """Return every call as one text."""
        return [" ".join(call["argv"]) for call in self.calls]

    def _places(self) -> Places:
        """Return a set-up with the fake programs."""
        places = Places(checkout=self.folder / "tools", cache=self.folder, pulumi_home=self.folder)
        places.bin.mkdir(parents=True, exist_ok=True)
        plan = self.folder / "plan.json"
        plan.write_text(json.dumps({**ANSWERS, **self.answers}), encoding="utf-8")
        text = SCRIPT.format(
            python=sys.executable, plan=str(plan), calls=str(self.folder / "calls.jsonl"), real=sorted(self.real)
        )
        for name in ("acp-release", "pulumi"):
            (places.bin / name).write_text(text, encoding="utf-8")
            (places.bin / name).chmod(0o755)
        return places

    def _runner_tools(self) -> Path:
        """Return an empty folder: a runner has a shell and git, and nothing of what the steps need."""
        folder = self.folder / "runner"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check_out(self, workspace: Path) -> None:
        (workspace / "Makefile").write_text("set-up:\n", encoding="utf-8")
