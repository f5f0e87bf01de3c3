from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from infra.cli.main import main
from infra.cli.setup_github import wanted_of
from infra.domain.repository_rules import CHECKS
from infra.paths import PROJECT_ROOT
from infra.settings import load_stack_file
from infra.settings.ci_secrets import REGISTRY_ENVIRONMENT, ci_secrets, optional_secrets, registry_password
from infra.workflows.document import Workflow, read_workflow, texts
from infra.workflows.rules import STACKS, environments_of
from tests.support.commands import subcommands
from tests.support.workflow.fakes import WORKFLOWS, FakeRun

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(WORKFLOWS.glob("*.yml"))


def commands() -> list[tuple[str, list[str]]]:
    """Return every call of `acp-release` in the workflows, with its place."""
    return [
        (place, shlex.split(step["run"])[1:])
        for path in FILES
        for place, step in read_workflow(path).steps()
        if str(step.get("run", "")).startswith("acp-release ")
    ]


@pytest.mark.parametrize(("place", "words"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_in_a_workflow_exists(place: str, words: list[str]) -> None:
    """Each call parses: the command is there, and so is every option."""
    command: click.Command = main
    while isinstance(command, click.Group):
        known = subcommands(command)
        assert words[0] in known, f"{place}: there is no command {words[0]}"
        command, words = known[words[0]], words[1:]
    command.make_context(str(command.name), list(words))


@pytest.mark.parametrize("stack", STACKS)
def test_a_deploy_gets_every_secret_of_its_stack(stack: str) -> None:
    """The deploy job passes what the stack's settings ask for, and what may be there, each under its own name."""
    settings = load_stack_file(stack, PROJECT_ROOT)
    environment = read_workflow(WORKFLOWS / "deploy.yml").jobs[stack]["env"]
    passed = {name: re.findall(r"secrets\.(\w+)", text) for name, text in environment.items() if "secrets." in text}
    assert passed == {name: [name] for name in ci_secrets(settings) | optional_secrets(settings)}
    password = registry_password(settings)
    assert environment[password] == f"${{{{ secrets.{password} || github.token }}}}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_known_environments_are_used(path: Path) -> None:
    """Every Environment is one that `setup-github` looks after."""
    known = {environment.name for stack in STACKS for environment in wanted_of(stack)} | {REGISTRY_ENVIRONMENT}
    used = {name for job in read_workflow(path).jobs.values() for name in environments_of(job)}
    assert used <= known


@pytest.mark.parametrize("stack", STACKS)
def test_every_environment_is_asked_for_what_its_jobs_pass(stack: str) -> None:
    """What `setup-github` wants in an Environment is what the jobs bound to it hand over, but for what is optional."""
    optional = optional_secrets(load_stack_file(stack, PROJECT_ROOT))
    passed: dict[str, set[str]] = {}
    for path in FILES:
        for job in read_workflow(path).jobs.values():
            named = {name for text in texts(job) for name in re.findall(r"secrets\.(\w+)", text)}
            for environment in environments_of(job):
                passed.setdefault(environment, set()).update(named - optional)
    others = tuple(f"{other.upper()}_" for other in STACKS if other != stack)
    for wanted in wanted_of(stack):
        own = {name for name in passed[wanted.name] if not name.startswith(others)}
        assert (wanted.name, own) == (wanted.name, wanted.secrets - optional)


def test_the_checks_asked_for_are_the_jobs_of_ci() -> None:
    """What main's rules must require is what ci.yml runs, by the names that GitHub gives to its checks."""
    assert {job["name"] for job in read_workflow(WORKFLOWS / "ci.yml").jobs.values()} == CHECKS


def test_one_workflow_on_main_signs() -> None:
    """A signature counts where deploy.yml made it on main, which is the one workflow that signs."""
    signing = [path.name for path in FILES if any("acp-release sign" in str(s) for _, s in read_workflow(path).steps())]
    assert signing == ["deploy.yml"]
    for stack in STACKS:
        gate = load_stack_file(stack, PROJECT_ROOT).gate
        if gate.signing is None or gate.signing.identity is None:
            continue
        where = re.match(r"\^(https://github\\\.com/[\w./\\-]+?/)\\\.github/", gate.signing.identity)
        assert where is not None
        workflows = where[1].replace("\\", "") + ".github/workflows/"
        assert re.search(gate.signing.identity, f"{workflows}deploy.yml@refs/heads/main")
        for other in ("ci.yml@refs/heads/main", "deploy.yml@refs/tags/v1", "deploy.yml@refs/heads/main2"):
            assert not re.search(gate.signing.identity, workflows + other)


def mutated(file: str, old: str, new: str, folder: Path) -> Workflow:
    """Return a workflow with one change."""
    text = (WORKFLOWS / file).read_text(encoding="utf-8")
    assert old in text
    path = folder / file
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return read_workflow(path)


class TestTheHarness:
    """A workflow that is broken fails when it is run, not only when it is read."""

    def test_a_tool_that_nobody_installs_is_not_found(self, tmp_path: Path) -> None:
        """A step before set-up finds no `acp-release`, and none finds what set-up does not install."""
        old = 'run: acp-release check --stack "$STACK"'
        workflow = mutated("deploy.yml", old, "run: jq --version", tmp_path)
        result = FakeRun(folder=tmp_path / "run").run(workflow)
        assert result.outcomes["staging"] == "failure"
        assert "command not found" in result.jobs["staging"].step("Health").log

    def test_a_job_without_set_up_has_no_tools(self, tmp_path: Path) -> None:
        """The programs come from the job's own set-up step."""
        steps = "      - *tools\n      - name: Scan and judge"
        workflow = mutated("deploy.yml", steps, "      - name: Scan and judge", tmp_path)
        result = FakeRun(folder=tmp_path / "run").run(workflow)
        assert "command not found" in result.jobs["scan"].step("Scan and judge").log

    def test_a_renamed_secret_is_empty(self, tmp_path: Path) -> None:
        """A secret that the Environment does not have reaches the program as nothing."""
        workflow = mutated("deploy.yml", "secrets.STAGING_REDIS_URL", "secrets.STAGING_REDIS", tmp_path)
        fake = FakeRun(folder=tmp_path / "run")
        fake.run(workflow)
        (update,) = [call for call in fake.calls if call["argv"][0] == "pulumi"]
        assert update["env"]["STAGING_REDIS_URL"] == ""

    def test_a_broken_condition_changes_the_outcome(self, tmp_path: Path) -> None:
        """Without its status function a job after a skipped one does not run."""
        old = "if: ${{ !cancelled() && (inputs.image_tag || needs.build.result == 'success') }}"
        workflow = mutated("deploy.yml", old, "if: ${{ inputs.image_tag != '' }}", tmp_path)
        result = FakeRun(folder=tmp_path / "run").run(workflow, environment="staging", image_tag="v1.3.0")
        assert result.outcomes["scan"] == "skipped"

    def test_an_artifact_that_nobody_made_is_missed(self, tmp_path: Path) -> None:
        """A job that fetches what no job kept fails."""
        old = "          name: build\n          path: reports/build.json"
        workflow = mutated("deploy.yml", old, "          name: built\n          path: reports/build.json", tmp_path)
        result = FakeRun(folder=tmp_path / "run").run(workflow)
        assert "no artifact build" in result.jobs["sign"].step("Fetch what was built").log

    def test_an_output_that_no_step_has_is_empty(self, tmp_path: Path) -> None:
        """A step whose id was changed gives nothing to later jobs: the scan, which needs a tag, has none."""
        workflow = mutated("deploy.yml", "        id: build\n", "        id: built\n", tmp_path)
        fake = FakeRun(folder=tmp_path / "run", real=frozenset({"acp-release scan"}))
        result = fake.run(workflow)
        assert "ACP_IMAGE_TAG is set and empty" in result.jobs["scan"].step("Scan and judge").log
        assert not [line for line in fake.commands if line.startswith("pulumi")]

    def test_an_action_without_an_equivalent_fails(self, tmp_path: Path) -> None:
        """An action that the harness does not know is never taken for done."""
        workflow = mutated("deploy.yml", "github/codeql-action/upload-sarif@", "example/other@", tmp_path)
        result = FakeRun(folder=tmp_path / "run").run(workflow)
        assert result.outcomes["scan"] == "failure"
