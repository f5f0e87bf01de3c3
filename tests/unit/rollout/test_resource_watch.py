from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import CheckError, HostUnreachableError
from infra.rollout.resource_watch import ResourceWatch, watch_for
from tests.support.fake_hostctl import PREVIOUS, Stage, make_stage

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = {"memory_available_bytes": 2**30, "memory_total_bytes": 2**31, "disk_free_bytes": 2**33, "load_1m": 0.5}


def row(release: str, **changes: Any) -> dict[str, Any]:
    """Return one container as hostctl tells it."""
    return {
        "name": f"acp-{release}-ingest-1", "release": release, "service": "acp-ingest", "state": "running",
        "restarts": 0, "oom_kills": 0, "connections": 4, "disk_bytes": 0, "memory_bytes": 50, "cpu_seconds": 1.0,
        "memory_limit_bytes": 100, "pids": 3, **changes,
    }  # fmt: skip


def answering(*rows: dict[str, Any]) -> tuple[Stage, ResourceWatch]:
    """Return a stage whose hosts have these containers, and a watch over it."""
    stage = make_stage()
    stage.answer("resources", {"host": HOST, "containers": list(rows)})
    return stage, ResourceWatch(stage.context.group, stage.context.settings.resources)


def test_a_candidate_within_its_limits_goes_on() -> None:
    """Nothing is raised, and the summary has every container of every host with its verdicts."""
    stage, watch = answering(row("v2"), row(PREVIOUS))
    with watch:
        watch.require_within_limits("v2")
    summary = watch.summary("v2")
    assert {(each["host"], each["release"]) for each in summary["containers"]} == {
        (host, release) for host in ("h1", "h2") for release in ("v2", PREVIOUS)
    }
    assert {verdict["verdict"] for verdict in summary["verdicts"]} == {"ok", "cannot tell"}
    assert summary["hosts"]["h1"]["disk_free_bytes"] == 2**33
    assert stage.journal.unexpected == []


@pytest.mark.parametrize(
    "bad", [{"memory_bytes": 81}, {"restarts": 1}, {"oom_kills": 1}], ids=["memory", "restart", "oom kill"]
)
def test_a_breach_of_the_candidate_stops_the_release(bad: dict[str, Any]) -> None:
    """The error names container, host, measure, figure and limit."""
    _, watch = answering(row("v2", **bad), row(PREVIOUS))
    with watch, pytest.raises(CheckError, match=r"breach: .* of acp-v2-ingest-1 on h1: .* the limit is"):
        watch.require_within_limits("v2")


def test_the_release_that_serves_is_not_judged() -> None:
    """A breach of the release before is no reason against the candidate."""
    _, watch = answering(row("v2"), row(PREVIOUS, restarts=3, memory_bytes=99))
    with watch:
        watch.require_within_limits("v2")


def test_no_reading_of_the_candidate_is_no_pass() -> None:
    """A watch that saw nothing of the candidate says so instead of letting it through."""
    _, watch = answering(row(PREVIOUS))
    with watch, pytest.raises(CheckError, match="nobody can say what the containers of v2 use"):
        watch.require_within_limits("v2")


def test_a_host_that_does_not_answer_is_counted() -> None:
    """A missed reading is no verdict; it stands in the summary."""
    stage, watch = answering(row("v2"))
    stage.answer("resources", HostUnreachableError("h2 is not reachable"), host="h2")
    watch.read()
    assert watch.summary("v2")["missed"] == 1
    assert list(watch.summary("v2")["hosts"]) == ["h1"]


def test_a_soak_reads_again_and_again() -> None:
    """Watching for some time makes many readings and says how far it is."""
    stage = make_stage()
    stage.answer("resources", {"host": HOST, "containers": [row("v2")]})
    limits = stage.context.settings.resources.model_copy(update={"interval_seconds": 0.001})
    watch = ResourceWatch(stage.context.group, limits)
    ticks: list[float] = []
    watch_for(watch, 0.1, ticks.append)
    assert ticks[0] < 0.1
    assert watch.summary()["containers"][0]["readings"] > 2


def test_the_least_room_of_a_host_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summary has the lowest memory and disk and the highest load that were seen."""
    stage, watch = answering(row("v2"))
    watch.read()
    change: Callable[..., None] = stage.answer
    change("resources", {"host": {**HOST, "disk_free_bytes": 7, "load_1m": 0.1}, "containers": []})
    watch.read()
    assert (watch.summary()["hosts"]["h1"]["disk_free_bytes"], watch.summary()["hosts"]["h1"]["load_1m"]) == (7, 0.5)
