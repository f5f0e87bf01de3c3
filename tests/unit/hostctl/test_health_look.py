"""A container's own health check is run before the commit, once at a time, and what it said is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from infra.hostctl import readiness
from infra.hostctl.engine import Container
from infra.hostctl.errors import HostctlError
from infra.hostctl.fields import Fields
from infra.hostctl.health_look import HealthLook
from infra.hostctl.readiness import LONGEST_REASON, Prober
from infra.hostctl.redact import MASK, Redactor
from infra.hostctl.spec import ReleaseSpec, read_spec
from tests.unit.hostctl.fake_host import FakeHost, refused
from tests.unit.hostctl.fakes import FakeClock, FakeEngine
from tests.unit.hostctl.release_spec import IMAGE, SECRET, V1, V2, spec

if TYPE_CHECKING:
    from collections.abc import Callable

WEB, WORKER = "acp-v1-ingest-1", "acp-v1-worker-1"
CHECK = ("python3", "check.py")
NOT_FOUND = f'exec: "python3": executable file\nnot found near {SECRET}'


class BusyClock(FakeClock):
    """A clock that goes on whenever it is asked."""

    def monotonic(self) -> float:
        """Return one second more than the last time."""
        self.seconds += 1
        return self.seconds


class CheckingEngine(FakeEngine):
    """Containers on trial whose health check ends as `check` says."""

    def __init__(self, check: Callable[[int], tuple[int, str]] = lambda _: (0, ""), **worker: Any) -> None:
        super().__init__()
        self.check = check
        self.runs: list[str] = []
        self.all = {WEB: made(WEB, health=None), WORKER: made(WORKER, **worker)}

    def execute(self, name: str, argv: list[str], *, timeout_seconds: float) -> tuple[int, str]:
        """Run a health check."""
        assert (tuple(argv), timeout_seconds > 0) == (CHECK, True)
        self.runs.append(name)
        return self.check(len(self.runs))


def made(name: str, **changes: Any) -> Container:
    """Return a container of which Docker has no verdict yet."""
    return Container(
        **{
            "id": name, "name": name, "image": IMAGE, "project": "acp-v1", "service": "", "state": "running",
            "health": "starting", "exit_code": 0, "is_oom_killed": False, "restarts": 0, "restart_policy": "no",
            "started_at": "", "health_check": CHECK, "addresses": {"front": "10.0.0.2"},
            "environment": (f"DATABASE_URL={SECRET}",), **changes,
        }
    )  # fmt: skip


def release(**worker: Any) -> ReleaseSpec:
    """Return a release of one web service and a worker, the fields of the latter changed."""
    value = spec("v1", services=["ingest"])
    value["services"][1] |= worker
    return read_spec(Fields(value))


def prober(engine: FakeEngine, clock: FakeClock) -> Prober:
    """Return what waits for the containers of the engine."""
    return Prober(engine, clock, None, Redactor())  # type: ignore[arg-type]


def failure(engine: FakeEngine, clock: FakeClock, what: ReleaseSpec) -> HostctlError:
    """Return why the containers of the engine do not get ready."""
    with pytest.raises(HostctlError) as caught:
        prober(engine, clock).wait(what)
    assert caught.value.code == "candidate_not_ready"
    return caught.value


@pytest.fixture(autouse=True)
def _all_answer_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every web container answer ready, and looks that never end be asked for without waiting."""
    monkeypatch.setattr(readiness, "probe", lambda *_: None)
    monkeypatch.setattr(readiness, "WORKER_INTERVAL_SECONDS", 0.01)


@pytest.mark.timeout(20)
def test_the_health_check_of_a_web_container_is_run_once_beside_its_answers() -> None:
    """A release that is well waits no longer for it than for its passes."""
    engine = CheckingEngine(health="healthy")
    engine.all[WEB] = made(WEB)
    ready = {passed.container: passed for passed in prober(engine, FakeClock()).wait(release())}
    assert engine.runs == [WEB]
    assert (ready[WEB].passes, ready[WEB].seconds) == (3, 1.0)


@pytest.mark.timeout(20)
def test_a_web_container_whose_health_check_fails_is_not_ready() -> None:
    """The error quotes what the check said last, on one line, masked and no longer than other answers."""
    engine = CheckingEngine(lambda run: (127, f"{run} {NOT_FOUND} {'x' * 500}"), health="healthy")
    engine.all[WEB] = made(WEB)
    error = failure(engine, FakeClock(), release())
    runs = len(engine.runs)
    start = f"{WEB} was not ready within 10 seconds: its health check failed with status 127: {runs} exec"
    assert error.message.startswith(start) or error.message.startswith(start.replace(f": {runs} ", f": {runs - 1} "))
    assert f"file not found near {MASK} xxx" in error.message
    assert len(error.message) < LONGEST_REASON + 60
    assert error.details["logs"]


def test_a_web_container_that_does_not_answer_is_named_with_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong port or path of the stack file is seen in the error."""
    monkeypatch.setattr(readiness, "probe", lambda *_: "no answer: refused")
    engine = CheckingEngine(health="healthy")
    engine.all[WEB] = made(WEB)
    error = failure(engine, FakeClock(), release())
    assert error.message == (
        f"{WEB} was not ready within 10 seconds: GET /health/ready at port 8000: no answer: refused"
    )


@pytest.mark.timeout(20)
def test_a_web_container_that_starts_up_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its health check would fail, and take the processor from what has to answer."""
    engine = CheckingEngine(health="healthy")
    engine.all[WEB] = made(WEB)
    runs: list[int] = []

    def probe(*_: object) -> str | None:
        runs.append(len(engine.runs))
        return "it starts up" if len(runs) <= 4 else None

    monkeypatch.setattr(readiness, "probe", probe)
    prober(engine, FakeClock()).wait(release())
    assert runs[:5] == [0] * 5
    assert engine.runs == [WEB]


@pytest.mark.timeout(20)
def test_a_health_check_that_passes_late_is_waited_for() -> None:
    """It may see more than the readiness path does; it is run again as often as that is asked."""
    engine = CheckingEngine(lambda run: (int(run < 4), ""), health="healthy")
    engine.all[WEB] = made(WEB)
    prober(engine, FakeClock()).wait(release())
    assert engine.runs == [WEB] * 4


@pytest.mark.timeout(20)
def test_dockers_own_verdict_on_a_web_container_counts() -> None:
    """One that Docker found unhealthy is not looked at again, and Docker knows what its check said."""
    engine = CheckingEngine(health="healthy")
    engine.all[WEB] = made(WEB, health="unhealthy", health_output=NOT_FOUND)
    error = failure(engine, FakeClock(), release())
    assert f'its health check failed: exec: "python3": executable file not found near {MASK}' in error.message
    assert engine.runs == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"health": "healthy"}, {}),
        ({"health": None, "health_check": ()}, {}),
        ({"restart_policy": "unless-stopped"}, {}),
        ({}, {"fastest_seconds": 0.05}),
        ({}, {"passes": 1}),
    ],
    ids=["healthy", "without a check", "committed", "warm", "answering"],
)
def test_no_other_web_container_is_looked_at(changes: dict[str, Any], options: dict[str, Any]) -> None:
    """Neither what Docker has seen, nor what served before, nor what shall only answer: a check takes the processor."""
    engine = CheckingEngine(health="healthy")
    engine.all[WEB] = made(WEB, **changes)
    prober(engine, FakeClock()).wait(release(), **options)
    assert engine.runs == []


@pytest.mark.timeout(20)
def test_a_health_check_that_goes_on_is_not_begun_again() -> None:
    """A program that hangs must not pile up in the container; the waiting ends in time all the same."""
    never = threading.Event()
    engine = CheckingEngine(lambda _: (int(never.wait(15)), ""))
    error = failure(engine, BusyClock(), release())
    never.set()
    assert error.message == f"{WORKER} was not healthy within 60 seconds: its health check has not ended"
    assert engine.runs == [WORKER]


@pytest.mark.timeout(20)
def test_dockers_verdict_comes_before_the_end_of_a_look() -> None:
    """While a look hangs Docker may have found the container healthy."""
    never = threading.Event()

    def check(_run: int) -> tuple[int, str]:
        engine.change(WORKER, health="healthy")
        return int(never.wait(15)), ""

    engine = CheckingEngine(check)
    prober(engine, FakeClock()).wait(release())
    never.set()
    assert engine.runs == [WORKER]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("seconds", "is_well"), [(5.0, True), (5.5, False)])
def test_a_look_that_takes_longer_than_the_check_may_has_failed(seconds: float, *, is_well: bool) -> None:
    """The health check's own timeout counts, as it does for Docker."""
    clock, container = FakeClock(), made(WORKER, health_timeout_seconds=5.0)

    def check(_run: int) -> tuple[int, str]:
        clock.sleep(seconds)
        return 0, "so far"

    look = HealthLook(CheckingEngine(check), clock, 60)  # type: ignore[arg-type]
    assert not look.is_well(container)
    look.pause(10)
    assert look.is_well(container) is is_well
    assert look.trouble == ("" if is_well else "its health check did not end within 5 seconds: so far")


@pytest.mark.timeout(20)
def test_a_worker_that_is_not_healthy_says_what_its_check_said() -> None:
    """Also where Docker itself cannot run it; no secret is quoted."""

    def check(_run: int) -> tuple[int, str]:
        raise HostctlError("docker_error", NOT_FOUND)

    error = failure(CheckingEngine(check), FakeClock(), release())
    assert error.message == (
        f"{WORKER} was not healthy within 60 seconds: "
        f'its health check failed: exec: "python3": executable file not found near {MASK}'
    )


@pytest.mark.timeout(20)
@pytest.mark.parametrize(("said", "seconds"), [({}, 60), ({"readiness": {"timeout_seconds": 600}}, 600)])
def test_a_worker_has_the_time_that_its_release_gives_it(said: dict[str, Any], seconds: int) -> None:
    """Without a word of its release it is a minute."""
    clock = FakeClock()

    def check(_run: int) -> tuple[int, str]:
        clock.sleep(20)
        return 1, ""

    error = failure(CheckingEngine(check), clock, release(**said))
    assert error.message.startswith(f"{WORKER} was not healthy within {seconds} seconds: ")
    assert seconds <= clock.seconds - FakeClock().seconds < seconds + 30


@pytest.mark.timeout(20)
def test_a_worker_without_a_health_check_that_does_not_run_says_how_it_is() -> None:
    """Nobody has looked at it, so there is nothing else to quote."""
    error = failure(CheckingEngine(health=None, health_check=(), state="created"), FakeClock(), release())
    assert error.message == f"{WORKER} was not healthy within 60 seconds: it is created"


def checked(world: FakeHost, status: int) -> list[str]:
    """Give all containers that are made a health check that ends with a status; return who is looked at."""
    runs: list[str] = []

    def execute(name: str, _argv: list[str], **_options: Any) -> tuple[int, str]:
        runs.append(name)
        return status, f"curl: not found, {SECRET}"

    world.engine.execute = execute  # type: ignore[attr-defined]
    changes = {"health": "starting", "health_check": ("curl",)}
    world.compose.broken = {"ingest": changes, "agents": changes}
    return runs


def test_a_release_whose_health_check_cannot_run_is_not_committed(world: FakeHost) -> None:
    """It would be unhealthy a minute after the commit, and refuse the next release."""
    world.release(V1)
    checked(world, 127)
    error = refused("candidate_not_ready", world, "start", spec=spec(V2), secrets={"DATABASE_URL": SECRET})
    assert "its health check failed with status 127: curl: not found, [secret]" in error.message
    assert world.running() == {"acp-v1-0-0-a"}


def test_compose_may_wait_as_long_as_a_container_may_take(world: FakeHost) -> None:
    """With `depends_on` it waits for a healthy service before it starts the next."""
    value = spec(V1)
    value["services"][0]["readiness"]["timeout_seconds"] = 600
    world.call("start", spec=value, secrets={"DATABASE_URL": SECRET})
    assert set(world.compose.timeouts) == {630}


def test_each_new_container_is_looked_at_once_and_a_kept_one_never(world: FakeHost) -> None:
    """What only has to answer, what is asked again and what comes back pays nothing."""
    runs = checked(world, 0)
    world.start(V1, until="started")
    world.start(V1, until="answering")
    assert runs == []
    world.start(V1)
    assert sorted(runs) == ["acp-v1-0-0-a-agents-1", "acp-v1-0-0-a-ingest-1"]
    for command in ("cutover", "commit", "drain", "park"):
        world.call(command, release=V1)
    world.call("ready", release=V1)
    world.compose.broken = {}
    world.release(V2)
    world.start(V1)
    world.call("revert", release=V1)
    assert len(runs) == 2
