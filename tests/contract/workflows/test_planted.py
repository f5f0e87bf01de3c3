"""Each of these mistakes, planted into a copy of the workflows, makes `make lint` fail."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from infra.toolchain.lint import CHECKS, is_github, is_workflow, run
from infra.workflows.__main__ import known_secrets
from infra.workflows.document import read_workflow
from infra.workflows.rules import breaches
from tests.support.world import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

WORKFLOW_CHECKS = {check.argv[0]: check for check in CHECKS if check.takes in {is_workflow, is_github}}
RULES = "python"
SHA = "08c6903cd8c0fde910a37f88322edcfb5dd907a8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A change of one workflow, and the check that finds it."""

    name: str
    found_by: str
    old: str
    new: str
    file: str = "workflows/deploy.yml"


MISTAKES = [
    Mistake(name="an action by tag", found_by="zizmor", old=f"checkout@{SHA} # v5.0.0", new="checkout@v5"),
    Mistake(
        name="a commit without its version", found_by="rules",
        old=f"checkout@{SHA} # v5.0.0", new=f"checkout@{SHA}",
    ),
    Mistake(
        name="an input inside a command", found_by="zizmor",
        old="run: acp-release scan --stack staging", new="run: acp-release scan --stack ${{ inputs.image_tag }}",
    ),
    Mistake(
        name="a secret outside of its Environment", found_by="rules",
        old="      ACP_IMAGE_TAG: ${{ inputs.image_tag || needs.build.outputs.image_tag }}\n    steps:",
        new="      STAGING_DATABASE_URL: ${{ secrets.STAGING_DATABASE_URL }}\n    steps:",
    ),
    Mistake(
        name="a key of the stack where images are built", found_by="rules",
        old="secrets.STAGING_REGISTRY_PASSWORD", new="secrets.STAGING_SETUP_SSH_KEY",
    ),
    Mistake(
        name="production's secret on staging", found_by="rules",
        old="${{ secrets.STAGING_DATABASE_URL }}", new="${{ secrets.PRODUCTION_DATABASE_URL }}",
    ),
    Mistake(
        name="a secret nobody knows", found_by="rules",
        old="secrets.STAGING_REDIS_URL", new="secrets.STAGING_REDIS_ADDRESS",
    ),
    Mistake(
        name="a secret by an expression", found_by="rules",
        old="secrets.OPENAI_API_KEY", new="secrets[format('{0}', 'OPENAI_API_KEY')]",
    ),
    Mistake(name="no `permissions: {}` on top", found_by="zizmor", old="permissions: {}\n", new=""),
    Mistake(
        name="a job without permissions of its own", found_by="rules",
        old="    permissions:\n      contents: read\n      packages: write # pushes the images\n", new="",
    ),
    Mistake(
        name="pull_request_target", found_by="zizmor", file="workflows/preview.yml",
        old="  pull_request:", new="  pull_request_target:",
    ),
    Mistake(
        name="a token left in the checkout", found_by="rules",
        old="persist-credentials: false", new="persist-credentials: true",
    ),
    Mistake(
        name="a job without a timeout", found_by="rules",
        old="    timeout-minutes: 45\n    environment: registry\n", new="    environment: registry\n",
    ),
    Mistake(
        name="a deploy that may be cancelled", found_by="rules",
        old="stack-staging\n      cancel-in-progress: false", new="stack-staging\n      cancel-in-progress: true",
    ),
    Mistake(
        name="a deploy outside of its group", found_by="rules",
        old="group: stack-staging", new="group: deploys-${{ github.run_id }}",
    ),
    Mistake(name="a job that pushes out who waits", found_by="rules", old="      queue: max\n", new=""),
    Mistake(name="a queue that GitHub does not know", found_by="rules", old="queue: max", new="queue: maximum"),
    Mistake(
        name="a misspelt key beside the queue", found_by="actionlint", old="queue: max", new="queue_length: max",
    ),
    Mistake(
        name="a tag that moves", found_by="rules",
        old="${{ inputs.image_tag || needs.build.outputs.image_tag }}", new="latest",
    ),
    Mistake(name="a runner that moves", found_by="rules", old="runs-on: ubuntu-24.04", new="runs-on: ubuntu-latest"),
    Mistake(name="a program nobody installs", found_by="rules", old="run: make set-up", new="run: jq --version"),
    Mistake(
        name="two commands in one step", found_by="rules",
        old="run: make set-up", new="run: make set-up && make lint",
    ),
    Mistake(
        name="a condition that is always true", found_by="actionlint",
        old="if: ${{ !inputs.image_tag }}", new='if: "${{ !inputs.image_tag }} "',
    ),
    Mistake(
        name="an output that is not there", found_by="actionlint",
        old="needs.plan.outputs.plan_hash", new="needs.plan.outputs.hash",
    ),
    Mistake(
        name="a dependency that is taken on its first day", found_by="zizmor", file="dependabot.yml",
        old="    cooldown:\n      default-days: 7\n    groups:", new="    groups:",
    ),
]  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with nothing but the workflows."""
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    shutil.copytree(CHECKOUT / ".github", tmp_path / ".github")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def test_the_workflows_pass(copy: Path) -> None:
    """As they are, no linter says a word about them."""
    assert sorted(WORKFLOW_CHECKS) == ["actionlint", RULES, "zizmor"]
    assert run(list(WORKFLOW_CHECKS.values()), copy) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found(copy: Path, mistake: Mistake) -> None:
    """One mistake in one place is enough for one check, and so for `make lint`, to fail."""
    path = copy / ".github" / mistake.file
    text = path.read_text(encoding="utf-8")
    assert mistake.old in text
    path.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
    if mistake.found_by == "rules":
        assert breaches(read_workflow(path), known_secrets()) != []
        return
    for other in (copy / ".github").rglob("*.yml"):
        if other != path:
            other.unlink()
    assert run([WORKFLOW_CHECKS[mistake.found_by]], copy) != []


def test_a_breach_of_the_rules_fails_the_check(copy: Path) -> None:
    """What the rules find is printed, and ends the check with a failure."""
    path = copy / ".github" / "workflows" / "deploy.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("run: make set-up", "run: jq .", 1), encoding="utf-8")
    assert run([WORKFLOW_CHECKS[RULES]], copy) != []
