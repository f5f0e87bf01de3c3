"""The stage that rows act on: a world with traffic, releases that are quick to make, and the mending afterwards."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from infra.errors import ReleaseError
from infra.lab.docker import docker
from tests.support.fault_points import FaultPoint
from tests.support.host_view import BASE, HostView, views
from tests.support.overrides import merged
from tests.support.traffic import answering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.world import Update, UpResult, World

CONFIRM_SECONDS = 8
LEASE_SECONDS = 8
READY_SECONDS = 45
GIVE_UP_SECONDS = 8
QUICK: dict[str, Any] = {
    # Seconds that these rows are not about; the end-to-end tests release with the comparison.
    "load": {"regression": {"enabled": False}},
    "rollout": {"confirm_timeout_seconds": CONFIRM_SECONDS, "lease_seconds": LEASE_SECONDS},
    "services": {
        "acp-ingest": {"readiness": {"timeout_seconds": READY_SECONDS}, "drain_timeout_seconds": 10},
        "acp-agents": {"readiness": {"timeout_seconds": READY_SECONDS}, "drain_timeout_seconds": 10},
        "acp-worker": {"drain_timeout_seconds": 10},
    },
}
"""A stack that gives up sooner than a real one, so that the matrix does not wait."""

PROMPT_MODEL = {"MODEL_DELAY_SECONDS": "0.2"}
"""What the lab is brought up with, for the same reason: a model that does not take its two seconds for an answer."""

COMPARED: dict[str, Any] = {"load": {"regression": {"enabled": True}}}
"""For releases that are measured: with the comparison that a stack has by default."""

IMPATIENT: dict[str, Any] = {
    "services": {name: {"readiness": {"timeout_seconds": GIVE_UP_SECONDS}} for name in ("acp-ingest", "acp-agents")},
}
"""For candidates that never get ready."""

CANARY: dict[str, Any] = {
    "rollout": {
        "strategy": "canary",
        # Releases share two processors with their traffic here; the slow one is slower than this by far.
        "canary": {"steps": [20, 60], "bake_seconds": 4, "min_requests": 20, "max_latency_ratio": 4},
    },
}
MENDED_SECONDS = 90.0
SSH_PORT = 22
REACH_SECONDS = 150.0
FREE_SECONDS = 65.0
SSH_OPEN = "while iptables -D INPUT -j ACPFAULT; do :; done; iptables -F ACPFAULT; iptables -X ACPFAULT"


class Stage:
    """What every row gets."""

    def __init__(self, world: World) -> None:
        """Act in `world`, which is prepared."""
        self.world = world
        self._marks = itertools.count(int(time.time()))
        self._is_good = False
        """Whether everything was in order when it was last looked at, and nothing was done here since."""
        self.views = views(world)

    @classmethod
    def prepared(cls, world: World, *, hosts: int = 1) -> Stage:
        """Bring `world` up with `hosts` hosts, a prompt model and fault points, whatever an earlier run left of it."""
        if world.lab.inventory_file.exists() and world.stack_file.exists():
            cls(world).mend()  # a run that was ended in the middle of a row
        world.environment |= PROMPT_MODEL
        world.prepare(hosts=hosts)
        world.environment["ACP_TEST_FAULT_POINTS"] = "1"
        stage = cls(world)
        stage.mend()
        return stage

    @property
    def view(self) -> HostView:
        """Return the first host."""
        return self.views[0]

    def note(self, text: str) -> None:
        """Say something to whoever watches the run."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the program's own standard error

    def configure(self, *overrides: Mapping[str, Any]) -> None:
        """Configure a release that differs from every one before, quick to give up, with `overrides`."""
        config = merged(QUICK, {"environment": {"TEST_MARK": str(next(self._marks))}})
        for override in overrides:
            config = merged(config, override)
        self.world.configure(config)

    def start(self, *overrides: Mapping[str, Any]) -> Update:
        """Start the update to a new release."""
        self.configure(*overrides)
        return self.world.start_up()

    def release(self, *overrides: Mapping[str, Any]) -> UpResult:
        """Release something new and wait for the end of it."""
        return self.start(*overrides).wait()

    @contextlib.contextmanager
    def held(self, update: Update, point: str) -> Iterator[None]:
        """Hold the first hostctl at a journal entry of `update` while the block runs; raise if it never comes."""
        with FaultPoint(self.view, point, "hold").armed() as fault:
            came = fault.wait_reached(timeout_seconds=REACH_SECONDS, unless=lambda: not update.running)
            assert came, f"hostctl never came to {point}: {update.wait(5).tail()}"
            yield

    def wait_free(self) -> None:
        """Wait until nobody's lease lives on any host: a failed run's ends by itself; a new host has none."""
        for view in self.views:
            try:
                is_free = _is_free(view.status())
            except ReleaseError:
                continue
            if not is_free:
                view.wait_for(_is_free, timeout_seconds=FREE_SECONDS, what=f"the lease of {view.host.name} is free")

    def at_rest(self, *, is_recorded: bool = True) -> list[str]:
        """Wait until every host is at rest and return what is wrong with them, and between them and the record.

        `is_recorded` says that the record knows what they serve: else it is not asked.
        """
        found: list[str] = []
        for view in self.views:
            try:
                view.wait_settled()
            except AssertionError as error:
                found.append(f"{view.host.name}: {error}")
        with ThreadPoolExecutor() as pool:
            record = pool.submit(self.record_problems) if is_recorded else None
            for problems in pool.map(_problems_of, self.views):
                found += problems
        return found + (record.result() if record else [])

    def record_problems(self) -> list[str]:
        """Return how `acp-release status` fails or sees the record and the hosts differ."""
        result = self.world.command("status", "--stack", "local", "--json")
        return [] if result.good else [f"acp-release status: exit {result.exit_status}: {result.tail(12)}"]

    def make_good(self) -> None:
        """Bring the stage to a good release at rest, if it is not there; raise `AssertionError` when that fails.

        What comes next may disturb it: it is looked at again the next time, unless `keep` or `follow` is called.
        """
        self.wait_free()
        if self._is_good:
            self._is_good = False
            return
        with contextlib.suppress(ReleaseError, AssertionError):
            serving = {view.serving for view in self.views}
            if None not in serving and not self.at_rest():
                return
        result = self.release()
        assert result.good, f"no good release to begin with: {result.tail()}"
        problems = self.at_rest()
        assert not problems, f"the stage is not in order: {problems}"

    def keep(self) -> None:
        """Take the stage for what it was judged to be: in order, with nothing done since."""
        self._is_good = True

    def follow(self) -> list[str]:
        """Make a good release after whatever was done here, and return what was wrong with it."""
        self.wait_free()
        result = self.release()
        if not result.good:
            return [f"the good release after it failed: {result.tail()}"]
        problems = self.at_rest()
        self._is_good = not problems
        return [f"after the good release: {problem}" for problem in problems]

    def mend(self) -> None:
        """Undo every fault that a row may have left, so that the next one begins on a sound host."""
        self.world.environment.pop("LOCAL_REGISTRY_PASSWORD", None)
        docker("start", self.view.machine.plan.container("registry"), check=False)
        for view in self.views:
            machine = view.machine
            docker("unpause", machine.container, check=False)
            docker("start", machine.container, check=False)
            _wait_for_engine(view)
            view.sh(
                f"{SSH_OPEN};"
                f" umount {BASE}/journal.jsonl; umount /var/lib/docker/tmp; rm -rf /tmp/acp-fault /run/acp-small",
                check=False,
            )
            view.docker("start", "acp-core-postgres-1", check=False)
        self.world.unlock()

    def cut_ssh(self, view: HostView) -> None:
        """Drop every packet to the host's sshd, running sessions included; the public ports stay open."""
        view.sh(
            "iptables -N ACPFAULT && iptables -I INPUT -j ACPFAULT"
            f" && iptables -A ACPFAULT -p tcp --dport {SSH_PORT} -j DROP"
        )

    def heal_ssh(self, view: HostView) -> None:
        """Let SSH through again."""
        view.sh(SSH_OPEN, check=False)

    def wait_answering(self, view: HostView, *, timeout_seconds: float = MENDED_SECONDS) -> float:
        """Wait until both services answer in public; return when that was (seconds since the epoch)."""
        deadline = time.monotonic() + timeout_seconds
        while not answering(view.host):
            assert time.monotonic() < deadline, f"{view.host.name} does not serve again in {timeout_seconds:g} s"
            time.sleep(0.05)
        return time.time()


def _is_free(status: Mapping[str, Any]) -> bool:
    """Say whether nobody's lease lives."""
    return not (status["lease"] or {}).get("live")


def _problems_of(view: HostView) -> list[str]:
    """Return what is wrong with a host at rest, or why it did not say."""
    try:
        found = view.problems()
    except (AssertionError, ReleaseError) as error:
        found = [str(error)]
    return [f"{view.host.name}: {problem}" for problem in found]


def _wait_for_engine(view: HostView) -> None:
    """Wait until the host's engine answers."""
    deadline = time.monotonic() + MENDED_SECONDS
    while view.machine.exec(["docker", "version"], check=False).exit_status != 0:
        assert time.monotonic() < deadline, f"the engine of {view.host.name} does not answer"
        time.sleep(0.3)
