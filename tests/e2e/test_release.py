"""A stack's first releases, in order: each test goes on where the one before left the world."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.e2e.first import stack_outputs
from tests.faults.killed import FIRST_STEPS, REVERT_STEPS, STEPS
from tests.support.host_view import views
from tests.support.traffic import AGENTS_PORT, INGEST_PORT, LIGHT_RATE, loss, release_at, traffic, use
from tests.support.world import STACK, UP_SECONDS

if TYPE_CHECKING:
    from tests.e2e.first import FirstRelease
    from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

AROUND_RELEASES = {"install", "edge", "core", "lease", "converge", "prune", "watchdog"}
"""Phases of the journal that are not a release's own."""

DIGEST = re.compile(r"^[^@]+@sha256:[0-9a-f]{64}$")
CHANGED = re.compile(r"^ *(?:~|\+|-|\+-|\+\+|--) +(\S+:\S+) (\S+)", re.MULTILINE)


def test_the_first_release_answers_on_both_services_under_its_id(world: World, first: FirstRelease) -> None:
    """`pulumi up` from nothing ends with a URL, a release id and digests, and both services answer as that release."""
    (host,) = world.settings.hosts
    assert first.outputs["urls"] == [f"http://{host.reach(80)}"]
    assert all(DIGEST.match(image) for image in first.outputs["images"].values())
    assert set(first.outputs["images"]) == {"acp-ingest", "acp-agents"}
    assert [release_at(host, port) for port in (INGEST_PORT, AGENTS_PORT)] == [first.release] * 2
    assert first.release in first.result.output


def test_a_pasted_document_is_found_and_an_agents_job_answers(world: World, first: FirstRelease) -> None:
    """The released app works: paste, queue, worker, search, and a job that calls the model."""
    used = use(world.settings.hosts[0])
    assert used["ingested"] == "completed"
    assert any(used["mark"] in text for text in used["found"])
    assert used["job"]["status"] == "completed"
    assert used["releases"] == {first.release}


def test_an_update_with_nothing_to_do_changes_nothing(world: World, first: FirstRelease) -> None:
    """A second `pulumi up` updates no resource, no output, and leaves the release."""
    result = world.up(preview=True)
    assert result.good, result.tail()
    assert re.search(r"^ +\d+ unchanged$", result.output, re.MULTILINE), result.tail()
    assert not CHANGED.findall(result.output)
    assert stack_outputs(world) == first.outputs


def test_the_host_runs_images_by_digest_only(world: World, first: FirstRelease) -> None:
    """`docker ps` on the host names every image by its digest."""
    (view,) = views(world)
    images = view.docker("ps", "--no-trunc", "--format", "{{.Image}}").split()
    assert len(images) >= 6
    assert all(DIGEST.match(image) for image in images), images


def test_status_says_what_serves_and_agrees_with_the_record(world: World, first: FirstRelease) -> None:
    """`acp-release status --json` has stack, release and one entry per host, and host and record agree."""
    result = world.command("status", "--stack", "local", "--json")
    assert result.good, result.output
    document = json.loads(result.output)
    assert (document["stack"], document["release"]) == ("local", first.release)
    (host,) = document["hosts"]
    assert {key: host[key] for key in ("host", "serving", "candidate", "previous")} == {
        "host": "h1",
        "serving": first.release,
        "candidate": None,
        "previous": None,
    }


@pytest.mark.parametrize("part", ["rollout", "record"])
def test_what_serves_is_the_same_after_a_part_of_it_is_made_anew(world: World, first: FirstRelease, part: str) -> None:
    """`pulumi up --replace`: the rollout takes and gives back leases of its own, the record keeps its history."""
    argv = ("up", "--stack", STACK, "--yes", "--skip-preview", "--replace", f"**{part}")
    result = world.pulumi(*argv, check=False, timeout_seconds=UP_SECONDS)
    assert result.good, result.tail()
    assert {name for _, name in CHANGED.findall(result.output)} == {part}
    assert stack_outputs(world) == first.outputs
    (view,) = views(world)
    assert view.status()["lease"] is None
    assert view.problems() == []


def test_a_changed_line_of_one_service_replaces_only_what_depends_on_it(world: World, first: FirstRelease) -> None:
    """After a change of the ingest app its image, the candidate, the rollout and the record change, under traffic."""
    source = world.path / "compose" / "reference" / "acp_reference" / "ingest" / "__init__.py"
    source.write_text(source.read_text(encoding="utf-8") + "\nCHANGED_BY_A_TEST = True\n", encoding="utf-8")
    world.commit("Change a line of the ingest app")
    (host,) = world.settings.hosts
    with traffic(host, rate=LIGHT_RATE) as prober:
        result = world.up(preview=True)
    assert result.good, result.tail(40)
    updating = result.output.partition("Updating (local)")[2]
    names = {name for kind, name in CHANGED.findall(updating) if not kind.startswith("pulumi:")}
    gates = {"gate-acp-ingest", "gate-clearance"}
    assert names == {"acp-ingest-image", *gates, "preflight", "h1-candidate-start", "rollout", "record"}
    outputs = stack_outputs(world)
    assert outputs["images"]["acp-agents"] == first.outputs["images"]["acp-agents"]
    assert outputs["images"]["acp-ingest"] != first.outputs["images"]["acp-ingest"]
    assert outputs["previous"] == first.release
    assert release_at(host, INGEST_PORT) == release_at(host, AGENTS_PORT) == outputs["release"]
    assert loss(prober.answers).lost == 0, loss(prober.answers).shown
    (view,) = views(world)
    view.wait_settled()
    assert view.problems() == []


def test_the_fault_matrix_knows_every_journal_step(world: World, first: FirstRelease) -> None:
    """A step that hostctl journals during a release without a row in the fault matrix would go untested."""
    (view,) = views(world)
    seen = {f"{entry['phase']}/{entry['step']}" for entry in view.journal() if entry["mark"] == "begin"}
    during_release = {step for step in seen if step.split("/")[0] not in AROUND_RELEASES}
    assert during_release <= {*STEPS, *FIRST_STEPS, *REVERT_STEPS}
    assert {*STEPS} - during_release <= {"shift/weights"}, "a blue-green release shifts nothing"
