"""What a real update tells, of a candidate whose failure only its host has seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from infra.notify.outbox import Outbox
from tests.support.notices import SIGNING_KEY, channel
from tests.support.vendors import free_port, vendors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

NEVER_READY = {
    "services": {"acp-ingest": {"readiness": {"equals": "never", "timeout_seconds": 5}}},
    # The running release would be judged by the same words, and refused before the candidate is started.
    "checks": {"healthy_before": False},
}
DELIVERY_SECONDS = 120


@pytest.fixture
def receiver_port(world: World, first: FirstRelease) -> Iterator[int]:
    """Let the stack tell a webhook on a port where nobody listens yet, and release what never gets ready."""
    port = free_port()
    own = {"LOCAL_WEBHOOK_TARGET": f"http://127.0.0.1:{port}/webhook", "LOCAL_WEBHOOK_KEY": SIGNING_KEY}
    world.environment.update(own, NO_PROXY="*")
    world.configure({"notifications": {"channels": [channel("webhook")]}, **NEVER_READY})
    try:
        yield port
    finally:
        world.configure()
        for name in (*own, "NO_PROXY"):
            world.environment.pop(name)


def test_a_candidate_that_never_gets_ready_is_told_with_the_hosts_reason(
    world: World, first: FirstRelease, receiver_port: int
) -> None:
    """The update fails in a resource that is not ours; the sender asks the host, and tells it once all the same."""
    result = world.up()
    assert not result.good, result.tail()
    with vendors(receiver_port) as receiver:
        deadline = time.monotonic() + DELIVERY_SECONDS
        while len(receiver.got) < 2 and time.monotonic() < deadline:
            receiver.wake.wait(0.2)
        assert receiver.problems == []
        told = [document["data"] for _, document in receiver.got]
    assert [data["event"] for data in told] == ["started", "reverted"]
    assert {data["release"] for data in told} != {first.release}
    assert "ready" in told[1]["reason"]
    letters = Outbox(world.path / ".acp" / "outbox" / "local").letters("webhook", "delivered")
    assert len({letter.notice.id for letter in letters}) == len(letters)
