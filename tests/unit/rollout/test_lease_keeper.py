from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from infra.errors import LeaseHeldError
from infra.rollout import lease_keeper
from infra.rollout.lease_keeper import LeaseKeeper, are_kept, keep_leases, take_over_leases
from tests.support.fake_hostctl import Stage, make_stage

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

WAIT_SECONDS = 10.0


def keeper(stage: Stage, *, is_wanted: Callable[[], bool] = lambda: True) -> LeaseKeeper:
    """Return what renews the leases of a stage as fast as it can."""
    return LeaseKeeper(group=stage.context.group, interval_seconds=0.001, is_wanted=is_wanted)


def after(stage: Stage, times: int) -> threading.Event:
    """Return what is set once the first host was asked `times` times for its lease."""
    came, left = threading.Event(), iter(range(times - 1))

    def answer(_request: object) -> dict[str, object]:
        if next(left, None) is None:
            came.set()
        return {"lease": {}}

    stage.answer("lease", answer, host="h1")
    return came


def test_leases_are_renewed_until_the_rollout_takes_over() -> None:
    """Each host its own, again and again; then no more."""
    stage = make_stage()
    came = after(stage, 3)
    keep_leases("run-1", keeper(stage))
    assert came.wait(WAIT_SECONDS)
    assert are_kept("run-1")
    take_over_leases("run-1")
    assert not are_kept("run-1")
    calls = stage.journal.of("lease")
    assert {(call.host, call.request["action"], call.request["lease"]["fence"]) for call in calls} == {
        ("h1", "renew", 7),
        ("h2", "renew", 7),
    }
    assert len(stage.journal.of("lease")) == len(calls)


def test_a_run_that_nothing_was_kept_for_takes_nothing_over() -> None:
    """A rollout whose preflight was of another process goes on as it is."""
    take_over_leases("another")


def test_a_host_that_refuses_does_not_end_it_for_the_others() -> None:
    """The rollout's own call will be told; the other hosts are kept meanwhile."""
    stage = make_stage()
    stage.answer("lease", LeaseHeldError("lost"), host="h2")
    came = after(stage, 3)
    keep_leases("run-1", keeper(stage))
    assert came.wait(WAIT_SECONDS)
    take_over_leases("run-1")


def test_nobody_comes_so_host_and_connections_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that survives its engine must not hold a lease that nobody else can take."""
    ended = threading.Event()
    monkeypatch.setattr(lease_keeper, "end_lingering", ended.set)
    stage = make_stage()
    keep_leases("run-1", keeper(stage, is_wanted=lambda: False))
    assert ended.wait(WAIT_SECONDS)
    take_over_leases("run-1")
    assert stage.journal.of("lease") == []
