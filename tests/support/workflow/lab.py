"""A run on the lab: the real programs, two real stacks, and a repository of their own."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.adapters.image_tags import ImageTags, copy_argv
from infra.adapters.packed_history import with_history
from infra.adapters.process import run
from infra.lab.seed import derive, read_seed
from infra.settings.ci_secrets import REGISTRY_ENVIRONMENT
from infra.workflows.document import read_workflow
from tests.support.workflow.equivalents import equivalents
from tests.support.workflow.fakes import SUFFIXES
from tests.support.workflow.run import Run, Setting
from tests.support.workflow.stacks import STACKS, secret_values, write_stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from infra.settings.model import Host
    from tests.support.workflow.job import Equivalent
    from tests.support.workflow.results import RunResult
    from tests.support.world import World

RUNNER_TOOLS = ("bash", "sh", "env", "git", "make", "python3", "docker", "ssh", "ssh-keygen")
"""What a runner's image has."""
GIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What is special about one run: its event, what happens before a job, what stands for a step, the runner.

    `rejected` has the Environments whose reviewers say no.
    """

    event: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    instead: Mapping[str, Equivalent] = field(default_factory=dict)
    runner: Mapping[str, str] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class LabRepository:
    """The world's copy as a repository on GitHub, with its Environments and their secrets."""

    world: World
    folder: Path
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def prepare(self) -> None:
        """Make hosts, state and stacks new."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.state.mkdir(parents=True)
        self.secrets = secret_values(self.world)
        write_stacks(self.world, self.secrets["PULUMI_CONFIG_PASSPHRASE"], self.backend)
        tools = self.folder / "runner"
        tools.mkdir()
        for name in RUNNER_TOOLS:
            (tools / name).symlink_to(str(shutil.which(name)))

    @property
    def state(self) -> Path:
        """Return the folder of Pulumi's state."""
        return self.folder / "state"

    @property
    def backend(self) -> str:
        """Return the backend that all jobs share."""
        return f"file://{self.state}"

    @property
    def token(self) -> str:
        """Return the run's token, which logs in to the registry."""
        return derive(read_seed(self.world.lab.path), "REGISTRY_PASSWORD")

    @property
    def tags(self) -> ImageTags:
        """Return the registry's tags."""
        registry = self.world.settings.registry
        return ImageTags(server=registry.server, username=registry.username, password=self.token)

    def host(self, stack: str) -> Host:
        """Return the host of a stack, as this machine reaches it."""
        return self.world.settings.hosts[STACKS.index(stack)]

    def outputs(self, stack: str) -> dict[str, Any]:
        """Return what a stack recorded."""
        environment = {
            **self.world.env,
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_CONFIG_PASSPHRASE": self.secrets["PULUMI_CONFIG_PASSPHRASE"],
        }
        argv = ["pulumi", "stack", "output", "--json", "--stack", stack, "--non-interactive"]
        found = run(argv, timeout_seconds=GIT_SECONDS, env=environment, cwd=self.world.path).stdout
        return with_history(json.loads(found))

    def move_tag(self, source: str, target: str, tag: str) -> None:
        """Let `tag` of image `target` name what it names of image `source`."""
        registry = self.world.settings.registry
        pinned = self.tags.pinned(registry.repository(source), tag)
        status, _, errors = self.tags._call(copy_argv(pinned, f"{registry.repository(target)}:{tag}"))
        assert status == 0, errors

    def run(self, workflow: str = "deploy.yml", going: Going | None = None, **inputs: str) -> RunResult:
        """Run a workflow of the checkout on the lab to its end."""
        going = going or Going()
        number = next(self.numbers)
        folder = self.folder / f"run-{number}"
        sha = self._git("rev-parse", "HEAD")
        read = read_workflow(self.world.path / ".github" / "workflows" / workflow)
        setting = Setting(
            folder=folder / "jobs",
            environments={
                **{f"{stack}{suffix}": self._own(stack) for stack in STACKS for suffix in SUFFIXES},
                REGISTRY_ENVIRONMENT: {},
            },
            variables={"PULUMI_BACKEND_URL": self.backend},
            token=self.token,
            runner={**self._runner(number, sha), **going.runner},
            equivalents={
                **equivalents(folder / "artifacts", lambda workspace: self._check_out(workspace, sha)),
                **going.instead,
            },
            before=going.before,
            rejected=going.rejected,
        )
        github = {"repository": "example/analyst-copilot", "sha": sha, "ref": "refs/heads/main", "event": going.event}
        return Run(workflow=read, setting=setting, github=github, inputs=inputs).complete()

    def _own(self, stack: str) -> dict[str, str]:
        """Return the secrets of a stack's Environments."""
        other = tuple(f"{name.upper()}_" for name in STACKS if name != stack)
        return {name: value for name, value in self.secrets.items() if not name.startswith(other)}

    def _runner(self, number: int, sha: str) -> dict[str, str]:
        """Return the environment of a runner; the lab's key pair stands for keyless signing."""
        password = derive(read_seed(self.world.lab.path), "COSIGN_PASSWORD")
        return {
            "PATH": str(self.folder / "runner"),
            "CI": "true",
            "TMPDIR": str(self.world.temporary),
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": str(number),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_SHA": sha,
            "GITHUB_REPOSITORY": "example/analyst-copilot",
            "GITHUB_SERVER_URL": "https://github.com",
            **{f"{stack.upper()}_COSIGN_PASSWORD": password for stack in STACKS},
        }

    def _check_out(self, workspace: Path, sha: str) -> None:
        """Clone the world's copy, and show it the lab that its stacks are on."""
        workspace.rmdir()
        argv = ["git", "clone", "--quiet", "--no-hardlinks", str(self.world.path), str(workspace)]
        run(argv, timeout_seconds=GIT_SECONDS)
        run(["git", "checkout", "--quiet", sha], timeout_seconds=GIT_SECONDS, cwd=workspace)
        (workspace / ".lab").symlink_to(self.world.lab.path)

    def _git(self, *arguments: str) -> str:
        return run(["git", *arguments], timeout_seconds=GIT_SECONDS, cwd=self.world.path).stdout.strip()
