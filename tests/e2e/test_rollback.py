"""Several releases that each change something else, then back to earlier ones: everything is as it was then.

`make test` makes three releases and goes one and two back. `ACP_LONG_TESTS=1` makes ten and goes one, three and nine
back, which takes some minutes.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.first import stack_outputs
from tests.faults.rollbacks import WARM_STEPS
from tests.support.host_view import views
from tests.support.overrides import merged
from tests.support.portrait import Portrait, differing, portray
from tests.support.traffic import LIGHT_RATE, loss, traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.first import FirstRelease
    from tests.support.host_view import HostView
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

IS_LONG = os.environ.get("ACP_LONG_TESTS") == "1"
RELEASES, BACK = (10, (1, 3, 9)) if IS_LONG else (3, (1, 2))
KEPT = 12
"""More than the releases made here, so that every one of them is parked with the environment it ran with."""

ROLLBACK_SECONDS = 180.0
ROLLOUT_PHASES = {step.partition("/")[0] for step in WARM_STEPS}
QUICK_DRAIN: dict[str, Any] = {
    "services": {name: {"drain_timeout_seconds": 5} for name in ("acp-ingest", "acp-agents", "acp-worker")}
}


class Changes:
    """What each release has that the one before had not."""

    def __init__(self, world: World) -> None:
        """Change the world's checkout, stack and environment."""
        self._world = world
        self._config = merged({"rollout": {"keep": KEPT}}, QUICK_DRAIN)
        self.kinds: tuple[Callable[[int], None], ...] = (self.image, self.compose, self.configuration, self.secret)

    def make(self, number: int) -> None:
        """Change one thing in a long run; in a short one everything within its three releases."""
        chosen = [self.kinds[number % len(self.kinds)]] if IS_LONG else list(self.kinds[number % 2 :: 2])
        for change in chosen:
            change(number)
        self._world.configure(self._config)

    def image(self, number: int) -> None:
        """Change the source of an image, and commit it."""
        source = self._world.path / "compose" / "reference" / "acp_reference" / "ingest" / "__init__.py"
        source.write_text(f"{source.read_text(encoding='utf-8')}\nROLLBACK_TEST = {number}\n", encoding="utf-8")
        self._world.commit(f"Change the ingest app, {number}")

    def compose(self, number: int) -> None:
        """Change a limit, which is in the rendered compose file."""
        memory = f"{600 + 8 * number}MiB"
        self._config = merged(self._config, {"services": {"acp-worker": {"memory_bytes": memory}}})

    def configuration(self, number: int) -> None:
        """Change a plain setting of the app."""
        self._config = merged(self._config, {"environment": {"ROLLBACK_TEST": str(number)}})

    def secret(self, number: int) -> None:
        """Rotate a secret."""
        self._world.environment["LOCAL_SECRET_KEY"] = f"rotated{number}{secrets.token_hex(16)}"


@pytest.fixture(scope="module")
def portraits(world: World, first: FirstRelease) -> Iterator[list[Portrait]]:
    """Make the releases, each under traffic, and return how each of them looked, the oldest first."""
    before = dict(world.environment)
    (view,) = views(world)
    changes = Changes(world)
    found = []
    for number in range(RELEASES):
        changes.make(number)
        result = world.up()
        assert result.good, result.tail(40)
        found.append(portray(view, stack_outputs(world)))
    yield found
    world.environment.clear()
    world.environment.update(before)
    world.configure()


def test_every_release_changed_what_it_was_to_change(portraits: list[Portrait]) -> None:
    """The releases differ in images, compose, plain settings and secrets, or going back would show nothing."""
    assert len({portrait.release for portrait in portraits}) == RELEASES
    for name in ("images", "fingerprints"):
        assert len({str(portrait.record[name]) for portrait in portraits}) > 1, name
    assert len({str(portrait.compose) for portrait in portraits}) > 1
    assert len({str(portrait.environments) for portrait in portraits}) == RELEASES


@pytest.mark.parametrize("back", BACK)
def test_what_serves_after_a_rollback_is_what_served_then(world: World, portraits: list[Portrait], back: int) -> None:
    """Digests, compose, environment of the processes, outputs, record and status are those of then; nothing is lost."""
    then = portraits[-1 - back]
    (view,) = views(world)
    with traffic(view.host, rate=LIGHT_RATE) as prober:
        result = world.command(
            "rollback", "--stack", STACK, "--to", then.release, "--yes", timeout_seconds=ROLLBACK_SECONDS
        )
    assert result.good, result.tail(40)
    view.wait_settled()
    assert differing(then, portray(view, stack_outputs(world))) == []
    lost = loss(prober.answers)
    assert lost.lost == 0, lost.shown
    assert lost.sent > 0
    _agrees(world, view)
    assert _steps(view) == set(WARM_STEPS), "the fault matrix kills the driver at each of these"


def _agrees(world: World, view: HostView) -> None:
    """Assert that status sees no difference and the host has nothing left over."""
    status = world.command("status", "--stack", STACK, "--json")
    assert status.good, status.output
    assert view.problems() == []


def _steps(view: HostView) -> set[str]:
    """Return the journal steps of the last rollback."""
    entries = [entry for entry in view.journal() if entry["mark"] == "begin" and entry["phase"] in ROLLOUT_PHASES]
    last = max(index for index, entry in enumerate(entries) if (entry["phase"], entry["step"]) == ("start", "begin"))
    return {f"{entry['phase']}/{entry['step']}" for entry in entries[last:]}
