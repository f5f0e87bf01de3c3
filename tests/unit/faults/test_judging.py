from __future__ import annotations

import json
from dataclasses import replace

import pytest

from infra.domain.certificate import Answer
from tests.bench.figure import Figure
from tests.faults import runner
from tests.faults.__main__ import choose
from tests.faults.candidates import refused
from tests.faults.killed import COMMITTED_FROM, STEPS
from tests.faults.matrix import all_rows, chains
from tests.faults.report import as_json
from tests.faults.row import Result, Row, Seen
from tests.faults.runner import _lost_problems
from tests.faults.stage import Stage
from tests.support.overrides import merged
from tests.support.traffic import Downtime, loss
from tests.support.world import UpResult


def _answer(at: float, *, lost: str | None = None, milliseconds: float = 10.0) -> Answer:
    return Answer(name="ingest", at=at, milliseconds=milliseconds, release="v1", lost=lost)


def _result(*problems: str) -> Result:
    return Result(name="a", expected="b", seen="c", lost=0, lost_in_downtime=0, sent=1, seconds=1.0, problems=problems)


def test_a_lost_request_in_a_downtime_is_counted_apart() -> None:
    """Only what arrives while the fault has the edge away is excused."""
    answers = [_answer(1.0), _answer(2.0, lost="ReadError"), _answer(4.0, lost="status 503")]
    found = loss(answers, [Downtime(start=1.5, end=2.5)])
    assert (found.sent, found.lost, found.in_downtime, found.outside) == (3, 2, 1, 1)
    assert len(found.shown) == 1
    assert "status 503" in found.shown[0]


@pytest.mark.parametrize(
    ("names", "allowed", "passed"),
    [
        ([], 0, True),
        (["paste"] * 5, 5, True),
        (["paste"] * 6, 5, False),
        (["paste", "search"], 5, False),
        (["ingest"], 5, False),
    ],
)
def test_only_what_may_not_be_sent_twice_may_be_lost(names: list[str], allowed: int, passed: bool) -> None:
    """A canary's allowance is for unrepeatable requests; the edge asks again with all others."""
    answers = [_answer(1.0), *(replace(_answer(2.0, lost="status 500"), name=name) for name in names)]
    row = Row(name="a", expected="b", act=lambda _: Seen(text=""), allowed_lost=allowed)
    assert (_lost_problems(loss(answers), row) == []) is passed


def test_a_request_that_began_before_a_downtime_and_ended_in_it_is_excused() -> None:
    """A request under way when the edge goes is lost with it."""
    answers = [_answer(1.0, lost="ReadError", milliseconds=1000)]
    assert loss(answers, [Downtime(start=1.5, end=2.5)]).outside == 0


def test_a_failed_update_must_say_why_in_its_last_lines() -> None:
    """A reason that is followed by more than 40 lines is a problem."""
    early = UpResult(exit_status=255, output="not ready\n" + "line\n" * 50, seconds=1.0)
    late = UpResult(exit_status=255, output="line\n" * 50 + "not ready\n", seconds=1.0)
    assert refused(early, "not ready").problems
    assert not refused(late, "not ready").problems


def test_what_an_earlier_row_left_in_the_state_does_not_push_the_reason_out() -> None:
    """Pulumi names every update that was killed, in each one after it; what else it says counts."""
    killed = "      * urn:pulumi:local::p::acp:Rollout::rollout, interrupted while creating\n" * 30
    warning = (
        "    warning: Attempting to deploy or update resources with 30 pending operations from previous deployment.\n"
        f"{killed}    These resources are in an unknown state.\n"
        "    Note that `pulumi refresh` will need to be run interactively to clear pending CREATE operations.\n"
    )
    ended = UpResult(exit_status=255, output=f"not ready\n{warning}error: update failed\n", seconds=1.0)
    assert not refused(ended, "not ready").problems
    assert refused(ended, "interrupted").problems


@pytest.mark.parametrize(
    ("frame", "is_ours"),
    [
        ("/src/checkout/infra/rollout/driver.py", True),
        ("/src/.venv/lib/python3.11/site-packages/pulumi/dynamic/__main__.py", True),
        ("/home/deploy/acp/hostctl/0.1.0-1a2b3c4d/hostctl.pyz/cli.py", True),
        ("/opt/acp/acp_reference/core/server.py", False),
        ("/usr/lib/python3/dist-packages/uvicorn/server.py", False),
    ],
)
def test_a_traceback_of_the_program_is_a_problem_one_of_the_app_evidence(frame: str, *, is_ours: bool) -> None:
    """An app that crashed may have left its own in its last log lines, which the error shows."""
    shown = f'not ready\n  Traceback (most recent call last):\n    File "{frame}", line 1, in run\n'
    problems = refused(UpResult(exit_status=1, output=shown, seconds=1.0), "not ready").problems
    assert bool(problems) is is_ours


def test_an_update_that_succeeds_is_no_refusal() -> None:
    """A bad release that goes through fails its row."""
    assert refused(UpResult(exit_status=0, output="not ready", seconds=1.0), "not ready").problems


def test_every_row_has_its_own_name_and_every_journal_step_two_kills() -> None:
    """A name chooses one row, and before and after each step the driver is killed once."""
    names = [row.name for row in all_rows()]
    assert len(names) == len(set(names))
    for step in STEPS:
        assert f"driver killed before {step}" in names
        assert f"driver killed after {step}" in names


def test_the_new_release_is_expected_from_the_commit_on() -> None:
    """What decides is the state file of the commit: before its end the old release serves, from then on the new one."""
    assert "commit/state/begin" not in COMMITTED_FROM
    assert {"commit/state/end", "drain/requests/begin", "park/state/end"} <= set(COMMITTED_FROM)


def test_rows_are_chosen_by_pattern_and_subset() -> None:
    """`--only` takes wildcards, `--subset` leaves the marked rows."""
    rows = all_rows()
    assert [row.name for row in choose(rows, only=["crash loop"])] == ["crash loop"]
    assert choose(rows, only=["no such row"]) == []
    assert all(row.in_subset for row in choose(rows, subset=True))


def _row(name: str, *, follow: bool = True, shows_release: bool = False, hosts: int = 1) -> Row:
    return Row(
        name=name, expected="", act=lambda _: Seen(text=""), follow=follow, shows_release=shows_release, hosts=hosts
    )


def test_rows_that_want_a_good_release_share_one() -> None:
    """Two of them come before one that shows it, where there is one, of the same number of hosts; no row is lost."""
    rows = [
        _row("two", hosts=2),
        _row("good", shows_release=True),
        _row("bad"),
        _row("killed", follow=False),
        _row("worse"),
        _row("worst"),
        _row("better", shows_release=True, follow=False),
        _row("best", shows_release=True, follow=False),
    ]
    found = [[row.name for row in chain] for chain in chains(rows)]
    assert found == [["bad", "worse", "good"], ["worst", "better"], ["killed"], ["best"], ["two"]]


def test_every_row_of_the_matrix_is_in_one_chain() -> None:
    """What saves releases leaves nothing out."""
    ordered = [row.name for chain in chains(all_rows()) for row in chain]
    assert sorted(ordered) == sorted(row.name for row in all_rows())


def test_the_release_of_the_last_row_is_the_one_after_all_of_its_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once; where the last row fails there was none, and no row has passed."""
    made: list[tuple[str, bool]] = []
    failing: set[str] = set()

    def run_row(_stage: Stage, row: Row, *, follow: bool) -> Result:
        made.append((row.name, follow))
        return replace(_result(*(["it broke"] if row.name in failing else [])), name=row.name)

    monkeypatch.setattr(runner, "run_row", run_row)
    stage = Stage.__new__(Stage)
    chain = (_row("bad"), _row("worse"), _row("good", shows_release=True))
    assert [result.passed for result in runner.run_chain(stage, chain)] == [True, True, True]
    assert made == [("bad", False), ("worse", False), ("good", True)]
    failing.add("worse")
    assert [result.passed for result in runner.run_chain(stage, chain)] == [True, False, True]
    failing.add("good")
    results = runner.run_chain(stage, chain)
    assert [result.name for result in results] == ["bad", "worse", "good"]
    assert results[0].problems == ("no good release was seen after it: good failed",)
    assert results[1].problems == ("it broke", "no good release was seen after it: good failed")
    assert results[2].problems == ("it broke",)


def test_the_json_report_counts_what_failed() -> None:
    """A row with a problem has not passed."""
    document = json.loads(as_json([_result(), _result("broken")]))
    assert (document["passed"], document["failed"]) == (1, 1)
    assert [row["passed"] for row in document["rows"]] == [True, False]


def test_overrides_merge_and_remove() -> None:
    """Mappings merge deeply, None removes a key, anything else replaces."""
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": None}) == {"a": {"b": 4, "c": 2}}


def test_a_figure_is_one_json_line() -> None:
    """`make bench` prints metric, value, unit and n."""
    line = Figure(metric="lost_requests", value=0, unit="requests", n=10).to_line()
    assert json.loads(line) == {"metric": "lost_requests", "value": 0, "unit": "requests", "n": 10}
    assert "\n" not in line
