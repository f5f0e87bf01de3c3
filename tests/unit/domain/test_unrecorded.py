from __future__ import annotations

from typing import Any

import pytest

from infra.domain.unrecorded import common_release, unrecorded_target


def entry(release: str, kind: str = "release", hosts: tuple[str, ...] = ("h1", "h2")) -> dict[str, Any]:
    """Return a recorded release."""
    return {"release": release, "kind": kind, "hosts": dict.fromkeys(hosts, "key")}


HISTORY = [entry("v3-0"), entry("v2-0"), entry("v1-0")]


def went(history: list[dict[str, Any]], **serving: str | None) -> tuple[str, str]:
    """Return the release that is gone back to, and why."""
    target = unrecorded_target(history, serving)
    assert target is not None
    return str(target.entry["release"]), target.why


@pytest.mark.parametrize(
    "serving", [{"h1": "v3-0", "h2": "v3-0"}, {"h1": "v3-0"}, {"h1": "v3-0", "h2": None}, {}], ids=str
)
def test_hosts_that_serve_what_is_recorded_leave_it_to_the_record(serving: dict[str, str | None]) -> None:
    """So do hosts that did not answer, and one that serves nothing yet."""
    assert unrecorded_target(HISTORY, serving) is None


def test_without_a_record_there_is_nothing_to_go_back_to() -> None:
    """The first release of a stack was cut off behind its commit."""
    assert unrecorded_target([], {"h1": "v1-0"}) is None


def test_an_update_that_is_not_recorded_is_left_for_the_recorded_release() -> None:
    """Not for the one before it, which would be one too far; the first release of a record is enough."""
    release, why = went(HISTORY, h1="v4-0", h2="v4-0")
    assert release == "v3-0"
    assert why == "h1 serves v4-0; h2 serves v4-0, by an update that is in no record: this is the recorded release"
    assert went(HISTORY[-1:], h1="v4-0")[0] == "v1-0"


@pytest.mark.parametrize("other", ["v3-0", "v1-0", None])
def test_hosts_that_differ_get_the_recorded_release_again(other: str | None) -> None:
    """One that committed what is not recorded beside one that did not, or that serves something else."""
    release, why = went(HISTORY, h1="v4-0", h2=other)
    assert (release, why.startswith("h1 serves v4-0")) == ("v3-0", True)


@pytest.mark.parametrize("serving", [{"h1": "v2-0", "h2": "v2-0"}, {"h1": "v2-0", "h2": "v3-0"}, {"h2": "v1-0"}])
def test_a_rollback_that_was_cut_off_is_gone_on_with(serving: dict[str, str | None]) -> None:
    """Its hosts are at a release that served before: the recorded one is what somebody wanted to leave."""
    release, why = went(HISTORY, **serving)
    assert release == next(name for name in serving.values() if name != "v3-0")
    assert "by a rollback that is not recorded" in why


def test_what_a_rollback_took_off_is_not_gone_on_with() -> None:
    """Released again, and cut off behind the commit, it is left for the recorded release."""
    history = [entry("v2-0", "rollback"), *HISTORY]
    assert went(history, h1="v3-0", h2="v3-0")[0] == "v2-0"


def test_a_host_that_a_rollback_left_alone_is_taken_along() -> None:
    """It serves the release that was left, or an older one; the others serve what is recorded."""
    history = [entry("v2-0", "rollback", ("h1",)), *HISTORY]
    for old in ("v3-0", "v1-0"):
        assert went(history, h1="v2-0", h2=old) == ("v2-0", f"h2 serves {old}, left alone when v2-0 was recorded")


def test_a_record_without_hosts_is_of_all() -> None:
    """As earlier versions of the program made it."""
    assert went([{"release": "v2-0"}, {"release": "v1-0"}], h1="v1-0")[0] == "v1-0"
    assert went([{"release": "v2-0"}, {"release": "v1-0"}], h1="v3-0")[0] == "v2-0"


def test_a_common_release_is_that_of_all() -> None:
    """Not of some, nor of none."""
    assert common_release(["v1-0", "v1-0"]) == "v1-0"
    assert [common_release(found) for found in (["v1-0", "v2-0"], ["v1-0", None], [None], [])] == ["", "", "", ""]
