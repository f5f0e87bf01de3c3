"""What somebody changed on a host by hand is named with its mend, and `acp-release status --repair` puts it right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.naming import front_network, project_name
from tests.e2e.first import stack_outputs
from tests.support.host_view import BASE, HostView, views
from tests.support.traffic import AGENTS_PORT, use, wait_health
from tests.support.world import STACK

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

STRAY = "by-hand"


def _break(view: HostView, project: str, image: str) -> list[str]:
    """Change the host by hand in every way that is cheap; return what must be said of each."""
    ingest, agents, worker = (f"{project}-{service}-1" for service in ("ingest", "agents", "worker"))
    view.docker("rm", "--force", ingest)
    view.docker("run", "--detach", "--name", ingest, "--entrypoint", "sleep", image, "600")
    view.docker("stop", "--time", "1", agents)
    view.docker("rm", "--force", worker)
    label = f"com.docker.compose.project=acp-{STRAY}"
    view.docker("run", "--detach", "--name", STRAY, "--label", label, "--entrypoint", "sleep", image, "600")
    view.docker("stop", "--time", "5", "acp-core-redis-1")
    view.sh(f"echo '# by hand' >> {BASE}/edge/config/committed.cfg")
    return [
        f"{ingest} was replaced by hand",
        f"{agents} of the current release does not run",
        f"{worker} of the current release is missing",
        f"the project acp-{STRAY} belongs to no known release",
        "acp-core-redis-1 is exited",
        "committed.cfg of the edge is not what belongs to the committed release",
    ]


def test_hand_made_changes_are_named_and_repaired(world: World, first: FirstRelease) -> None:
    """Status names each change with its mend and ends with 20; after the repair it ends with 0 and the app works."""
    (view,) = views(world)
    outputs = stack_outputs(world)
    expected = _break(view, project_name(outputs["release"]), outputs["images"]["acp-ingest"])
    status = world.command("status", "--stack", STACK, "--json")
    assert status.exit_status == 20, status.output
    found: list[dict[str, Any]] = json.loads(status.output)["differences"]
    for text in expected:
        assert any(difference["what"].startswith(text) for difference in found), (text, found)
    assert all(difference["mend"] for difference in found)

    repaired = world.command("status", "--stack", STACK, "--repair", "--json", timeout_seconds=240)
    assert repaired.good, repaired.output
    assert json.loads(repaired.output)["differences"] == []
    assert view.problems() == []
    assert use(world.settings.hosts[0])["job"]["status"] == "completed"


def test_a_replica_that_was_taken_off_its_network_is_put_back(world: World, first: FirstRelease) -> None:
    """A network that somebody changed is a difference; after the repair all of the release finds the replica again."""
    (view,) = views(world)
    ingest = f"{project_name(stack_outputs(world)['release'])}-ingest-1"
    view.docker("network", "disconnect", front_network(STACK), ingest)
    found = json.loads(world.command("status", "--stack", STACK, "--json").output)["differences"]
    assert any("is not on the network" in difference["what"] for difference in found), found
    repaired = world.command("status", "--stack", STACK, "--repair", timeout_seconds=240)
    assert repaired.good, repaired.output
    used = use(world.settings.hosts[0])
    assert (used["ingested"], used["job"]["status"]) == ("completed", "completed")
    wait_health(world.settings.hosts[0], AGENTS_PORT, healthy=True)
