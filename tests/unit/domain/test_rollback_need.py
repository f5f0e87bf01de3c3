from __future__ import annotations

from typing import Any

import pytest

from infra.domain.rollback_need import rollback_need

ENTRY = {"release": "v2-b", "run_id": "ci-7-1", "kind": "promotion"}


def host(**state: Any) -> dict[str, Any]:
    """Return a host that serves the recorded release."""
    return {"host": "h1", "serving": "v2-b", "candidate": None, **state}


def test_a_release_of_this_run_that_was_found_bad_goes_back() -> None:
    """The record has this run's release, and the job failed after it: that is to be taken back."""
    for run_id in ("ci-7-1", "ci-7-1-20260101T000000Z-12"):
        assert rollback_need({**ENTRY, "run_id": run_id}, "ci-7-1", [host()]).action == "roll back"


@pytest.mark.parametrize("run_id", ["ci-8-1", "ci-7-2", None])
def test_hosts_that_went_back_by_themselves_are_enough(run_id: str | None) -> None:
    """The record is another run's and every host serves it: nothing is left to do."""
    need = rollback_need(ENTRY, run_id, [host(), host(host="h2")])
    assert (need.action, need.why) == ("nothing", "every host serves v2-b, as recorded")


def test_a_rollback_of_this_run_is_not_rolled_back() -> None:
    """Asked twice, the second time finds the rollback and leaves it."""
    assert rollback_need({**ENTRY, "kind": "rollback"}, "ci-7-1", [host()]).action == "nothing"


def test_a_first_release_that_failed_leaves_nothing() -> None:
    """A stack that never released has nothing to go back to, also where hosts do not know the program yet."""
    assert rollback_need({}, "ci-7-1", [host(serving=None, error="there is no hostctl")]).action == "nothing"


def test_a_release_that_every_host_committed_is_left_to_be_recorded() -> None:
    """Its update failed after the commit, for lost requests as an example: it was verified, and no host goes back."""
    elsewhere = {"serving": "v3-c"}
    need = rollback_need(ENTRY, "ci-8-1", [host(**elsewhere), host(host="h2", **elsewhere)])
    assert need.action == "record"
    assert need.why == "every host serves v3-c, verified and committed, and the record still says v2-b"


@pytest.mark.parametrize("state", [{"serving": None}, {"serving": "v3-c", "candidate": "v4-d"}, {"error": "gone"}])
def test_hosts_that_have_not_all_committed_the_same_are_waited_for(state: dict[str, Any]) -> None:
    """Where one serves nothing, has a trial or is silent, nobody can say what stays."""
    need = rollback_need(ENTRY, "ci-8-1", [host(serving="v3-c"), host(host="h2", serving="v3-c") | state])
    assert need.action == "wait"
    assert rollback_need(ENTRY, "ci-8-1", [host(serving=None)]).action == "wait"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ({"candidate": "v3-c"}, "v3-c on trial"),
        ({"serving": "v3-c"}, "serves v3-c, the record says v2-b"),
        ({"serving": None}, "serves nothing"),
        ({"error": "no connection", "serving": None}, "no connection"),
    ],
)
def test_a_host_that_is_not_settled_is_waited_for(state: dict[str, Any], word: str) -> None:
    """A host on trial, elsewhere or silent is named, and decides nothing yet."""
    need = rollback_need(ENTRY, "ci-8-1", [host(), host(host="h2", **state)])
    assert need.action == "wait"
    assert word in need.why
    assert "h2" in need.why
