"""A scratch copy of this checkout with its own lab and Pulumi state, where tests may release and break things."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from infra.adapters.process import run
from infra.lab.docker import docker
from infra.lab.folder import LabFolder, read_memory
from infra.lab.hosts import volumes
from infra.lab.machine import Machine, machines
from infra.settings import Settings, load_stack_file
from tests.support.overrides import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER_SETTING = "ACP_TEST_WORLD"
STACK = "local"
STACK_FILE = f"stacks/Pulumi.{STACK}.yaml"
HOOKS = CHECKOUT / "tests" / "support" / "hooks"
CREDENTIAL = re.compile(r"^(LOCAL|STAGING|PRODUCTION)_|^(PULUMI_(?!HOME$)|GITHUB_|SSH_AUTH_SOCK$|ACP_LAB_DIR$)")
UP_SECONDS = 900.0
LAB_SECONDS = 1800.0
QUICK_SECONDS = 120.0
COPY_NAME = "checkout"
MOST_WORLDS = 4
"""Worlds beside each other that anything here makes."""
OWN_FRAME = re.compile(r'File "[^"\n]*/(infra|hostctl|site-packages/pulumi\w*)/')
"""A line of a traceback of this program; an app that crashed may have left one of its own in its last log lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpResult:
    """How a `pulumi` run ended: exit status, all its output and how long it took."""

    exit_status: int
    output: str
    seconds: float

    @property
    def good(self) -> bool:
        """Whether it succeeded."""
        return self.exit_status == 0

    @property
    def has_traceback(self) -> bool:
        """Whether this program shows a traceback."""
        return OWN_FRAME.search(self.output) is not None

    def tail(self, lines: int = 20) -> str:
        """Return the last `lines` of the output, empty ones left out."""
        return "\n".join([line for line in self.output.splitlines() if line.strip()][-lines:])


class Update:
    """A `pulumi` run under way, in a process group of its own so that all of it can be killed at once."""

    def __init__(self, argv: list[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        """Start it; its output goes to `log`."""
        self._log = log
        self._began = time.monotonic()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                argv, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    @property
    def output(self) -> str:
        """Return what it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def terminate(self) -> None:
        """Ask it to stop, as a cancelled job does."""
        self.process.terminate()

    def kill(self) -> None:
        """Kill `pulumi`, its language host and its dynamic providers without a word."""
        for group in sorted({self.process.pid, *_groups_below(self.process.pid)}):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self.process.wait(timeout=30)

    def wait(self, timeout_seconds: float = UP_SECONDS) -> UpResult:
        """Wait for its end and return how it went; kill it when it takes too long."""
        try:
            status = self.process.wait(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -1
        return UpResult(exit_status=status, output=self.output, seconds=time.monotonic() - self._began)


def _groups_below(pid: int) -> set[int]:
    """Return the process groups of all descendants of `pid`: providers put themselves into groups of their own."""
    parents: dict[int, tuple[int, int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = (int(fields[1]), int(fields[2]))
    below, groups = {pid}, set()
    grown = True
    while grown:
        more = {child for child, (parent, _) in parents.items() if parent in below} - below
        below |= more
        grown = bool(more)
    for child in below:
        if child in parents:
            groups.add(parents[child][1])
    return groups - {os.getpgrp()}


class World:
    """The scratch checkout; it stays between runs, so that its lab and its image layers are warm."""

    def __init__(self, folder: Path) -> None:
        """Describe the world in `folder`; nothing is made before `prepare`."""
        self.folder = folder
        self.path = folder / COPY_NAME
        self.lab = LabFolder(path=self.path / ".lab")
        self.environment: dict[str, str] = {}

    @classmethod
    def default(cls) -> World:
        """Return the world of this checkout, or the one `ACP_TEST_WORLD` names."""
        return cls(Path(os.environ.get(FOLDER_SETTING) or CHECKOUT / ".acp" / "world").resolve())

    @classmethod
    def second(cls) -> World:
        """Return another world beside the default one, so that two tiers of tests run side by side."""
        return cls.several(2)[1]

    @classmethod
    def several(cls, count: int) -> list[World]:
        """Return `count` worlds beside each other, the default one first."""
        first = cls.default().folder
        return [
            cls(first.with_name(f"{first.name}-{number}") if number > 1 else first) for number in range(1, count + 1)
        ]

    @contextlib.contextmanager
    def claimed(self) -> Iterator[World]:
        """Hold the world for one test run: two at once would break each other's releases."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self

    def prepare(self, *, hosts: int | None = None) -> World:
        """Bring the copy to this checkout's working tree, its lab up and its stack into being.

        Where the lab has more than `hosts`, it starts over: no update could empty the machines that are taken out.
        """
        memory = read_memory(self.lab)
        if hosts and memory and memory.hosts > hosts:
            self.start_over(hosts=hosts)
            return self
        self.refresh()
        self.lab_up(hosts)
        self.unlock()
        self.pulumi("stack", "select", "--create", STACK)
        return self

    def refresh(self) -> None:
        """Copy what git knows or would add of this checkout, undo earlier edits, and commit it in the copy."""
        self.path.mkdir(parents=True, exist_ok=True)
        wanted = set(_listed(CHECKOUT))
        salt = _salt(self.stack_file)
        for name in sorted(wanted - {STACK_FILE}):
            _copy(CHECKOUT / name, self.path / name)
        self.configure()
        # Pulumi wrote the checkout's salt there; it fits the checkout's passphrase only.
        text = self.stack_file.read_text(encoding="utf-8").replace(_salt(self.stack_file), "")
        self.stack_file.write_text(text + salt, encoding="utf-8")
        if not (self.path / ".git").exists():
            self._git("init", "--quiet")
        for name in set(_listed(self.path)) - wanted:
            (self.path / name).unlink(missing_ok=True)
        self.commit("Copy the checkout")

    def commit(self, subject: str) -> None:
        """Commit everything in the copy, if anything changed."""
        self._git("add", "--all")
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        self._git(*identity, "commit", "--quiet", "--no-verify", "--message", subject, check=False)

    def lab_up(self, hosts: int | None = None) -> None:
        """Bring the lab of the copy up."""
        argv = ["python", "-m", "infra.lab", "up", *(["--hosts", str(hosts)] if hosts else [])]
        run(argv, timeout_seconds=LAB_SECONDS, env=self.env, cwd=self.path)

    def take_out_hosts(self, *, keep: int) -> None:
        """Leave only the first `keep` hosts in the inventory; the machines stay."""
        inventory = json.loads(self.lab.inventory_file.read_text(encoding="utf-8"))
        inventory["hosts"] = inventory["hosts"][:keep]
        self.lab.inventory_file.write_text(json.dumps(inventory), encoding="utf-8")

    def start_over(self, *, hosts: int | None = None) -> None:
        """Make the hosts new and forget every release: what stays are images that were built and the registry."""
        for machine in self.machines:
            plan, name = machine.plan, machine.container
            docker("rm", "--force", name, timeout_seconds=QUICK_SECONDS)
            docker("volume", "rm", *volumes(plan, machine.index), timeout_seconds=QUICK_SECONDS)
        shutil.rmtree(self.path / ".pulumi", ignore_errors=True)
        self.stack_file.unlink(missing_ok=True)
        self.refresh()
        self.lab_up(hosts)
        self.pulumi("stack", "select", "--create", STACK)

    def destroy(self) -> None:
        """Remove the lab and the copy."""
        if self.path.exists():
            run(["python", "-m", "infra.lab", "down"], timeout_seconds=LAB_SECONDS, env=self.env, cwd=self.path)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of programs in the copy: its sources first, no credentials of the caller's."""
        kept = {name: value for name, value in os.environ.items() if not CREDENTIAL.match(name)}
        binaries = CHECKOUT / ".venv" / "bin"
        return {
            **kept,
            "PATH": f"{binaries}{os.pathsep}{kept.get('PATH', '')}",
            "VIRTUAL_ENV": str(CHECKOUT / ".venv"),
            "PYTHONPATH": f"{self.path}{os.pathsep}{HOOKS}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.lab.path / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_OPTION_SUPPRESS_OUTPUTS": "true",
            "TMPDIR": str(self.temporary),
            **self.environment,
        }

    @property
    def temporary(self) -> Path:
        """Return the temporary folder of programs in the copy, where a test can see what they leave."""
        folder = self.folder / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def stack_file(self) -> Path:
        """Return the stack file of the copy."""
        return self.path / STACK_FILE

    def configure(self, overrides: Mapping[str, Any] | None = None) -> None:
        """Write the stack file: the checkout's, with `overrides` merged into `config` (keys without `acp:`)."""
        document = yaml.safe_load((CHECKOUT / "stacks" / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))
        document.pop("encryptionsalt", None)
        if self.stack_file.exists():
            current = yaml.safe_load(self.stack_file.read_text(encoding="utf-8")) or {}
            document |= {key: value for key, value in current.items() if key != "config"}
        prefixed = {f"acp:{key}": value for key, value in (overrides or {}).items()}
        document["config"] = merged(document["config"], prefixed)
        self.stack_file.parent.mkdir(parents=True, exist_ok=True)
        self.stack_file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        """Return the validated settings of the stack as it is configured now."""
        return load_stack_file(STACK, self.path)

    @property
    def machines(self) -> list[Machine]:
        """Return the lab's hosts, h1 first."""
        return machines(self.lab)

    def pulumi(self, *arguments: str, check: bool = True, timeout_seconds: float = QUICK_SECONDS) -> UpResult:
        """Run a short `pulumi` command in the copy."""
        began = time.monotonic()
        argv = ["pulumi", *arguments, "--non-interactive", "--color", "never"]
        done = run(argv, timeout_seconds=timeout_seconds, env=self.env, cwd=self.path, check=check)
        seconds = time.monotonic() - began
        return UpResult(exit_status=done.exit_status, output=done.stdout + done.stderr, seconds=seconds)

    def ask_pulumi(self, *arguments: str) -> dict[str, Any]:
        """Return the JSON object that a `pulumi` command answers on standard output."""
        argv = ["pulumi", *arguments, "--non-interactive"]
        document: dict[str, Any] = json.loads(
            run(argv, timeout_seconds=QUICK_SECONDS, env=self.env, cwd=self.path).stdout
        )
        return document

    def start_up(self, *, preview: bool = False) -> Update:
        """Start `pulumi up`; without `preview` it saves the seconds that a preview takes."""
        argv = ["pulumi", "up", "--stack", STACK, "--yes", "--non-interactive", "--color", "never"]
        return Update(
            argv if preview else [*argv, "--skip-preview"], cwd=self.path, env=self.env, log=self.folder / "up.log"
        )

    def newest_report(self, form: Literal["json", "html"]) -> str:
        """Return the text of the report on the release that was tried last."""
        pages = (self.path / "reports" / "releases" / STACK).glob(f"*.{form}")
        return max(pages, key=lambda path: path.stat().st_mtime).read_text(encoding="utf-8")

    def up(self, *, preview: bool = False, timeout_seconds: float = UP_SECONDS) -> UpResult:
        """Run `pulumi up` to its end."""
        return self.start_up(preview=preview).wait(timeout_seconds)

    def unlock(self) -> None:
        """Take the lock of a dead update off the stack, as `pulumi cancel` does."""
        locks = self.path / ".pulumi" / "locks"
        if locks.exists():
            shutil.rmtree(locks)

    def command(self, *arguments: str, check: bool = False, timeout_seconds: float = QUICK_SECONDS) -> UpResult:
        """Run `acp-release` in the copy; standard output alone is the result's output when it is JSON."""
        began = time.monotonic()
        argv = ["acp-release", *arguments]
        done = run(argv, timeout_seconds=timeout_seconds, env=self.env, cwd=self.path, check=check)
        output = done.stdout if "--json" in arguments else done.stdout + done.stderr
        return UpResult(exit_status=done.exit_status, output=output, seconds=time.monotonic() - began)

    def twin(self) -> World:
        """Return another machine's checkout of the same stack: its own Pulumi state, the same lab."""
        twin = World(self.folder / "twin")
        shutil.rmtree(twin.folder, ignore_errors=True)
        shutil.copytree(self.path, twin.path, ignore=shutil.ignore_patterns(".lab"), symlinks=True)
        (twin.path / ".lab").symlink_to(self.lab.path)
        twin.environment = dict(self.environment)
        twin.unlock()
        return twin

    def _git(self, *arguments: str, check: bool = True) -> str:
        return run(["git", *arguments], timeout_seconds=QUICK_SECONDS, cwd=self.path, check=check).stdout


def _listed(folder: Path) -> list[str]:
    """Return the files of a git checkout: tracked, and untracked ones that are not ignored."""
    arguments = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run(arguments, timeout_seconds=QUICK_SECONDS, cwd=folder).stdout.split("\0")
    return [name for name in names if name and (folder / name).is_file()]


def _salt(stack_file: Path) -> str:
    """Return the line of a stack file with the salt of its passphrase, empty without one."""
    lines = stack_file.read_text(encoding="utf-8").splitlines(keepends=True) if stack_file.exists() else []
    return "".join(line for line in lines if line.startswith("encryptionsalt:"))


def _copy(source: Path, target: Path) -> None:
    """Copy a file when its content or mode differs, so that build caches see no change where there is none."""
    if (
        target.exists()
        and target.stat().st_mode == source.stat().st_mode
        and target.read_bytes() == source.read_bytes()
    ):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
