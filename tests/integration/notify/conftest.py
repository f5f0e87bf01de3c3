"""A checkout of its own with a stack that tells everybody, whose senders run as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from infra.notify.outbox import Outbox
from infra.paths import PROJECT_ROOT
from infra.settings.model import SECRET_NAMES
from tests.support.notices import ROUTING_KEY, SIGNING_KEY, channel
from tests.support.settings import stack_config, stack_values
from tests.support.vendors import OWNER, TOKEN, Vendors, vendors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from infra.notify.outbox import Letter

WAIT_SECONDS = 60
PROVIDER = """
import json, sys, time
from infra.components import release_rollout
from infra.errors import CheckError, ReleaseError, RolloutError
from infra.rollout import driver, preflight

asked = json.load(sys.stdin)
preflight.run_preflight = lambda props, show: {"leases": {}}
def rollout(props, show):
    if "error" in asked:
        raise RolloutError("long story", reason=asked["error"], restored=asked["restored"])
    return asked["report"]
driver.run_rollout = rollout
steps = [release_rollout.PreflightProvider()] + [release_rollout.RolloutProvider()] * asked["ends"]
began = time.perf_counter()
failed = ""
for step in steps:
    try:
        step.create(dict(asked["props"]))
    except ReleaseError as error:
        failed = error.what
print(json.dumps({"seconds": time.perf_counter() - began, "failed": failed}), flush=True)
"""
ENGINE = """
import subprocess, sys
done = subprocess.run([sys.executable, "-c", sys.argv[1]], input=sys.argv[2], text=True)
if done.returncode == 0:
    sys.stdin.readline()
sys.exit(done.returncode)
"""


@dataclass(slots=True, kw_only=True)
class Site:
    """A checkout with its vendors and its environment."""

    path: Path
    vendors: Vendors
    environment: dict[str, str]
    output: list[str] = field(default_factory=list)

    @property
    def outbox(self) -> Outbox:
        """Return the outbox of its stack."""
        return Outbox(self.path / ".acp" / "outbox" / "local")

    def states(self) -> dict[tuple[str, str], str]:
        """Return the state of every letter by channel and event."""
        return {(letter.channel, letter.notice.event): letter.state for letter in self.outbox.all_letters()}

    def props(self, **changes: Any) -> dict[str, Any]:
        """Return the inputs of the rollout's resources."""
        values = {"stack": "local", **stack_values(notifications=self.notifications), **changes.pop("settings", {})}
        run = {"release": changes.pop("release", "v2-1a2b3c4d"), "run_id": changes.pop("run_id", "run-2")}
        return {**run, "cleared": run, "prepared": run, "commit": "c" * 40, "settings": values, **changes}

    @property
    def notifications(self) -> dict[str, Any]:
        """Return what the stack file says of notifications."""
        document = yaml.safe_load((self.path / "stacks" / "Pulumi.local.yaml").read_text(encoding="utf-8"))
        section: dict[str, Any] = document["config"]["acp:notifications"]
        return section

    @contextlib.contextmanager
    def update(self, **asked: Any) -> Iterator[dict[str, Any]]:
        """Run an update's preflight and rollout below an engine that ends with the context."""
        request = {"props": self.props(), "report": {"previous": "v1-0"}, "ends": 1, **asked}
        engine = subprocess.Popen(
            [sys.executable, "-c", ENGINE, PROVIDER, json.dumps(request)],
            cwd=self.path, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            lines: list[str] = []
            for line in engine.stdout or ():
                lines.append(line)
                if line.startswith('{"seconds"'):
                    break
            self.output += lines
            assert lines, "the update said nothing"
            assert lines[-1].startswith('{"seconds"'), "".join(lines)
            yield json.loads(lines[-1])
        finally:
            rest, _ = engine.communicate("\n", timeout=30)
            self.output.append(rest)

    def command(self, *arguments: str) -> Any:
        """Run `acp-release … --json` and return what it prints."""
        code = "import sys; from infra.cli.main import main; sys.argv[0] = 'acp-release'; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments, "--json"],
            cwd=self.path, env=self.environment, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS,
        )  # fmt: skip
        self.output += [done.stdout, done.stderr]
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def senders(self) -> list[psutil.Process]:
        """Return the senders of this checkout that run."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if "infra.notify" in process.cmdline() and process.cwd() == str(self.path):
                    found.append(process)
        return found

    def kill_senders(self) -> None:
        """Kill them without a word."""
        for process in self.senders():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(timeout=10)

    def wait_for(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: {self.letters()}"
            self.vendors.wake.wait(0.05)

    def wait_delivered(self, count: int) -> None:
        """Wait until so many letters are delivered and none is in another state."""
        self.wait_for(lambda: [x.state for x in self.letters()] == ["delivered"] * count, f"{count} delivered")

    def letters(self) -> list[Letter]:
        """Return every letter."""
        return self.outbox.all_letters()


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment that has every secret of the site, planted, and no proxy."""
    planted = {f"LOCAL_{name}": f"planted-{name.lower()}" for name in (*SECRET_NAMES, "REGISTRY_PASSWORD")}
    planted["LOCAL_DATABASE_URL"] = "postgresql://acp:planted-db-pass@db:5432/acp"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **planted, "NO_PROXY": "*"}


@pytest.fixture
def site(tmp_path: Path, own_environment: dict[str, str]) -> Iterator[Site]:
    """Return a checkout whose stack tells all vendors, which are up."""
    path = tmp_path / "site"
    shutil.copytree(PROJECT_ROOT / "infra", path / "infra")
    (path / "stacks").mkdir()
    with vendors() as state:
        github = {"environment": "production", "url": "https://acp.example"}
        channels = [channel("slack"), channel("teams"), channel("webhook")]
        channels.append(channel("pagerduty", url=state.address("/pagerduty")))
        config = stack_config(notifications={"channels": channels, "github": github})
        (path / "stacks" / "Pulumi.local.yaml").write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
        environment = {
            **own_environment,
            **{f"LOCAL_{name.upper()}_TARGET": state.address(f"/{name}") for name in ("slack", "teams", "webhook")},
            "LOCAL_PAGERDUTY_TARGET": ROUTING_KEY,
            "LOCAL_WEBHOOK_KEY": SIGNING_KEY,
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": OWNER,
            "GITHUB_API_URL": state.address(""),
            "PYTHONPATH": str(path),
        }
        made = Site(path=path, vendors=state, environment=environment)
        try:
            yield made
        finally:
            made.kill_senders()
