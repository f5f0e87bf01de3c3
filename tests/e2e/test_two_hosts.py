"""A host joins a stack whose release is recorded already, and one leaves: the others go on serving."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.host_view import views
from tests.support.traffic import LIGHT_RATE, loss, traffic
from tests.support.world import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]


@pytest.fixture
def two_hosts(world: World, first: FirstRelease) -> Iterator[World]:
    """Return the world with a release, and a second host in its inventory that Pulumi knows nothing of."""
    served = world.up()
    assert served.good, served.tail(40)
    world.lab_up(hosts=2)
    yield world
    world.lab_up(hosts=1)


def test_a_host_joins_and_leaves(two_hosts: World) -> None:
    """What serves goes to the new host without a restart on the old one; taken out of the stack, it is emptied."""
    world = two_hosts
    first, second = views(world)
    release, before = first.serving, first.docker("ps", "--quiet", "--no-trunc")
    with traffic(first.host, rate=LIGHT_RATE) as prober:
        joined = world.up(preview=True)
        assert joined.good, joined.tail(40)
        assert (first.serving, second.serving) == (release, release)
        assert first.docker("ps", "--quiet", "--no-trunc") == before
        assert [second.problems(), first.problems()] == [[], []]
        again = world.up()
        assert again.good, again.tail(40)
        assert "created" not in again.output

        world.take_out_hosts(keep=1)
        for name in ("redis", "postgres"):
            urn = f"urn:pulumi:{STACK}::analyst-copilot::acp:hosts:HostData$docker:index/volume:Volume::h2-data-{name}"
            world.pulumi("state", "unprotect", "--stack", STACK, "--yes", urn)
        left = world.up(preview=True)
        assert left.good, left.tail(40)
    assert loss(prober.answers).outside == 0
    assert first.serving == release
    assert second.docker("ps", "--all", "--quiet") == ""
