"""Rows about who releases: two at once, a dead one's lease, a cancelled job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from infra.errors import LeaseHeldError, ReleaseError
from tests.faults.candidates import refused
from tests.faults.row import Row, Seen
from tests.faults.stage import CANARY

if TYPE_CHECKING:
    from tests.faults.stage import Stage

REFUSED_SECONDS = 1.0
ATTEMPTS = 3
TAKE_OVER_SECONDS = 60.0
TTL_SECONDS = 12


def _two_at_once(stage: Stage) -> Seen:
    """Let a second machine release the same stack while the first one is at work."""
    first = stage.start()
    with stage.held(first, "ready/probe/begin"):
        twin = stage.world.twin()
        second = twin.up()
        status, took = _time_of_refusal(stage)
    result = first.wait()
    seen = refused(second, "holds this host since")
    problems = list(seen.problems)
    if not result.good:
        problems.append(f"the first one failed: {result.tail()}")
    if status is None or took > REFUSED_SECONDS:
        problems.append(f"the lease answered {status} after {took:.1f} s")
    return Seen(
        text=f"first released, second refused; lease refused in {took:.2f} s", problems=tuple(problems), serves="new"
    )


def _time_of_refusal(stage: Stage) -> tuple[str | None, float]:
    """Return what a third deployer is told, and the least time in seconds that takes beyond a call that only greets.

    One call alone says more of what else the machine does in that moment than of the lease.
    """
    status = None
    greeting, asking = [], []
    for _ in range(ATTEMPTS):
        began = time.monotonic()
        stage.view.call("hello")
        greeting.append(time.monotonic() - began)
        status, began = None, time.monotonic()
        try:
            stage.view.call("lease", action="acquire", holder="a third one", purpose="to be refused", ttl_seconds=5)
        except LeaseHeldError as error:
            status = error.what
        asking.append(time.monotonic() - began)
        if status is None:
            break
    return status, max(0.0, min(asking) - min(greeting))


def _stale_lease(stage: Stage) -> Seen:
    """Leave a lease behind: a release is refused while it lives, takes over after, and its holder is refused then."""
    answer = stage.view.call("lease", action="acquire", holder="dead", purpose="a release", ttl_seconds=TTL_SECONDS)
    lease = {"holder": answer["lease"]["holder"], "fence": answer["lease"]["fence"]}
    began = time.monotonic()
    early = stage.release()
    problems = list(refused(early, "holds this host since").problems)
    result = early
    while not result.good and time.monotonic() - began < TAKE_OVER_SECONDS:
        result = stage.release()
    took = time.monotonic() - began
    if not result.good:
        problems.append(f"not taken over in {TAKE_OVER_SECONDS:g} s: {result.tail()}")
    try:
        stage.view.call("lease", action="renew", lease=lease)
        problems.append("the dead holder's next call was not refused")
    except ReleaseError as error:
        if "lost the lease" not in error.what:
            problems.append(f"the dead holder was told {error.what}")
    return Seen(
        text=f"refused, then taken over; new release after {took:.0f} s", problems=tuple(problems), serves="new"
    )


def _terminated(stage: Stage) -> Seen:
    """End `pulumi up` with SIGTERM in the middle of a canary, as a cancelled job does: it goes back at once."""
    update = stage.start(CANARY)
    with stage.held(update, "shift/weights/end"):
        update.terminate()
        time.sleep(0.5)
    seen = refused(update.wait(120), "the update was cancelled")
    last = stage.view.status()["last_trial"]
    reverted = () if last["outcome"] == "reverted" else (f"the last trial was {last}",)
    return Seen(text=f"{seen.text}; {last['reason']}", problems=(*seen.problems, *reverted))


ROWS = (
    Row(
        name="two deployers at once",
        expected="one releases, the other is refused",
        act=_two_at_once,
        in_subset=True,
        shows_release=True,
    ),
    Row(name="stale lease", expected="refused, then taken over", act=_stale_lease, shows_release=True),
    Row(name="SIGTERM of pulumi up", expected="reverts, old serves", act=_terminated),
)
