"""Rows in which what a release depends on is away or full: host, registry, disk, database, clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.lab.docker import docker
from infra.lab.faults import full_disk
from tests.faults.candidates import refused, with_fault
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY
from tests.support.host_view import BASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage

OTHER_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGMBNp2pG7yo8WaVzne1cDmU+33pX9akPDky7+b+vdw0"
CLOCK_SETTING = "ACP_TEST_CLOCK_OFFSET_SECONDS"
REACH_SECONDS = 90.0
JOURNAL_FOLDER = "/run/acp-small"
FULL_JOURNAL = (
    f"mkdir -p {JOURNAL_FOLDER} && mount -t tmpfs -o size=1m small {JOURNAL_FOLDER}"
    f" && cp -a {BASE}/journal.jsonl {JOURNAL_FOLDER}/"
    f" && (head -c 2m /dev/zero > {JOURNAL_FOLDER}/filler || true)"
    # What is left of the file's last page would take entries yet: empty lines, which are none, fill it.
    f" && size=$(stat -c %s {JOURNAL_FOLDER}/journal.jsonl)"
    f" && (head -c $(((4096 - size % 4096) % 4096)) /dev/zero | tr '\\0' '\\n' >> {JOURNAL_FOLDER}/journal.jsonl)"
    f" && mount --bind {JOURNAL_FOLDER}/journal.jsonl {BASE}/journal.jsonl"
)
"""Puts a full file system under the journal."""
FREE_JOURNAL = f"umount {BASE}/journal.jsonl; umount {JOURNAL_FOLDER}; rmdir {JOURNAL_FOLDER}"


def _unreachable(stage: Stage) -> Seen:
    """Begin a release to a host whose sshd does not answer."""
    stage.cut_ssh(stage.view)
    result = stage.release()
    stage.heal_ssh(stage.view)
    return refused(result, "not reachable", "unreachable", "timed out")


def _wrong_host_key(stage: Stage) -> Seen:
    """Begin a release to a host that shows another key than the pinned one."""
    inventory = stage.world.lab.inventory_file
    text = inventory.read_text(encoding="utf-8")
    inventory.write_text(text.replace(stage.view.host.host_key, OTHER_HOST_KEY), encoding="utf-8")
    try:
        result = stage.release()
    finally:
        inventory.write_text(text, encoding="utf-8")
    return refused(result, "host key")


def _registry_down(stage: Stage) -> Seen:
    """Begin a release that builds while the registry is down."""
    registry = stage.view.machine.plan.container("registry")
    docker("stop", registry)
    try:
        result = stage.release(with_fault(f"slow:{time.time_ns() % 1000 / 1000}"))
    finally:
        docker("start", registry)
        stage.world.lab_up()
    return refused(result, "registry", "connection refused", "no route to host")


def _disk_full_on_pull(stage: Stage) -> Seen:
    """Begin a release of new layers while the engine of the host has no room for them."""
    source = stage.world.path / "compose" / "reference" / "acp_reference" / "__init__.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(f"{text}\nMARK = {time.time_ns()}\n", encoding="utf-8")
    try:
        with full_disk(stage.view.machine, "/var/lib/docker/tmp"):
            result = stage.release()
    finally:
        source.write_text(text, encoding="utf-8")
    return refused(result, "no space left", "disk_full")


def _disk_full_for_journal(stage: Stage) -> Seen:
    """Let the file system of the journal be full when the candidate is started."""
    stage.view.sh(FULL_JOURNAL)
    try:
        result = stage.release()
    finally:
        stage.view.sh(FREE_JOURNAL, check=False)
    return refused(result, "no space left", "disk_full")


def _disk_full_on_trial(stage: Stage) -> Seen:
    """Let the file system of the journal be full from the first step of the trial on."""
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        stage.view.sh(FULL_JOURNAL)
    result = update.wait()
    stage.view.sh(FREE_JOURNAL, check=False)
    return refused(result, "no space left", "disk_full")


def _database_down(stage: Stage) -> Seen:
    """Begin a release while the database is down."""
    before = stage.view.status()["current"]
    stage.view.docker("stop", "acp-core-postgres-1")
    try:
        result = stage.release()
        after = stage.view.status()
    finally:
        stage.view.docker("start", "acp-core-postgres-1")
        time.sleep(3)
    seen = refused(result, "database")
    changed = () if after["current"] == before and after["candidate"] is None else ("something was changed",)
    return Seen(text=seen.text, problems=(*seen.problems, *changed))


def _clock(offset_seconds: int) -> Callable[[Stage], Seen]:
    """Return the act of a release by a runner whose clock is wrong."""

    def act(stage: Stage) -> Seen:
        stage.world.environment[CLOCK_SETTING] = str(offset_seconds)
        try:
            result = stage.release()
        finally:
            del stage.world.environment[CLOCK_SETTING]
        problems = () if result.good else (result.tail(),)
        return Seen(text=f"released in {result.seconds:.0f} s", problems=problems, serves="new")

    return act


def _lost_mid_shift(stage: Stage) -> Seen:
    """Cut the host off from the runner after the first step of a canary; it must go back by itself."""
    began = time.monotonic()
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        stage.cut_ssh(stage.view)
    result = update.wait()
    stage.heal_ssh(stage.view)
    stage.view.wait_settled()
    last = stage.view.status()["last_trial"]
    seen = refused(result, "reverts by itself", "not reachable", "unreachable", "no answer", "did not finish")
    reverted = () if last["outcome"] == "reverted" else (f"the last trial was {last}",)
    text = f"{seen.text}; host: {last['reason']} ({time.monotonic() - began:.0f} s)"
    return Seen(text=text, problems=(*seen.problems, *reverted))


def _ssh_dropped(stage: Stage) -> Seen:
    """Kill the host's SSH sessions while hostctl starts the candidate."""
    update = stage.start()
    with stage.held(update, "start/up/begin"):
        stage.view.sh("pkill -9 -f '[s]shd-session|[s]shd: deploy' || true")
    result = update.wait()
    text = f"update {'succeeded' if result.good else 'failed'} in {result.seconds:.0f} s"
    problems = ("there is a traceback",) if result.has_traceback else ()
    return Seen(text=text, problems=problems, serves="new" if result.good else "old")


def _half_applied(stage: Stage) -> Seen:
    """Kill compose and hostctl between the first and the last container of the candidate."""
    status = stage.view.status()
    whole = len(status["releases"][status["serving"]])
    update = stage.start()
    with stage.held(update, "start/up/begin"):
        pass
    deadline = time.monotonic() + REACH_SECONDS
    known = _containers(stage)
    while len(_containers(stage)) <= len(known) and update.running and time.monotonic() < deadline:
        time.sleep(0.02)
    stage.view.sh("pkill -9 docker-compose; pkill -9 -f hostctl.pyz || true", check=False)
    made = len(_containers(stage)) - len(known)
    result = update.wait()
    problems = ["the update succeeded"] if result.good else []
    if not 0 < made < whole:
        problems.append(f"{made} containers were made, a part of {whole} was to be")
    return Seen(
        text=f"killed with {made} containers made; update failed in {result.seconds:.0f} s", problems=tuple(problems)
    )


def _containers(stage: Stage) -> list[str]:
    return stage.view.docker("ps", "--all", "--quiet").split()


ROWS = (
    Row(
        name="host unreachable at start",
        expected="fails, old serves",
        act=_unreachable,
        in_subset=True,
    ),
    Row(name="host lost mid-shift", expected="host reverts by itself, old serves", act=_lost_mid_shift),
    Row(name="SSH dropped while hostctl works", expected="fails or goes on, one release serves", act=_ssh_dropped),
    Row(name="wrong host key", expected="fails, old serves", act=_wrong_host_key),
    Row(name="registry down", expected="fails, old serves", act=_registry_down),
    Row(name="disk full on pull", expected="fails, old serves", act=_disk_full_on_pull),
    Row(name="disk full while writing the journal", expected="fails, old serves", act=_disk_full_for_journal),
    Row(name="disk full during the trial", expected="reverts, old serves", act=_disk_full_on_trial),
    Row(
        name="database down before the release",
        expected="fails and names it, nothing changed",
        act=_database_down,
        search=False,
    ),
    Row(name="clock of the runner 10 minutes ahead", expected="released", act=_clock(600), shows_release=True),
    Row(name="clock of the runner 10 minutes behind", expected="released", act=_clock(-600), shows_release=True),
    Row(name="half-applied compose", expected="fails, old serves", act=_half_applied),
)
