from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.domain.four_keys import Key, four_keys
from infra.domain.history import Event

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def event(number: int, days_ago: float, kind: Any = "release", outcome: Any = "succeeded", **changes: Any) -> Event:
    """Return an event that took 30 seconds and ended `days_ago`."""
    ended = NOW - timedelta(days=days_ago)
    started = ended - timedelta(seconds=30)
    values = {
        "id": f"e{number}", "kind": kind, "outcome": outcome, "stack": "production", "release": f"v{number}",
        "started_at": started.isoformat(), "ended_at": ended.isoformat(), "replaced": f"v{number - 1}",
    }  # fmt: skip
    return Event(**{**values, **changes})


def keys(events: list[Event]) -> dict[str, Key]:
    """Return the keys by name."""
    return {key.name: key for key in four_keys(events, NOW)}


def test_deployments_are_counted_per_week_of_the_history() -> None:
    """Four releases and promotions within 28 days are one per week; failures, reverts and rollbacks do not count."""
    events = [
        event(1, 28),
        event(2, 20, "promotion"),
        event(3, 10),
        event(4, 1),
        event(5, 1, outcome="failed"),
        event(3, 0.5, "rollback", undoes="v4"),
        event(6, 0.5, "revert"),
    ]
    key = keys(events)["deployment frequency"]
    assert (key.value, key.of, key.unit) == (1.0, 4, "per week")


def test_what_is_older_than_the_window_does_not_count() -> None:
    """Over a longer history the last 90 days count."""
    assert keys([event(1, 200), event(2, 45)])["deployment frequency"].of == 1


def test_a_young_history_has_no_frequency() -> None:
    """Two releases in an hour are not 300 a week."""
    key = keys([event(1, 0.04), event(2, 0.01)])["deployment frequency"]
    assert (key.value, key.missing) == (None, "the history is 0.0 days long, 7 are needed")


def test_lead_time_is_the_median_from_commit_to_serving() -> None:
    """Deployments without a known commit time are left out, and so are failed ones."""
    ends = {number: NOW - timedelta(days=number) for number in (1, 2, 3)}
    events = [
        event(number, number, committed_at=(ends[number] - timedelta(hours=hours)).isoformat())
        for number, hours in ((1, 1), (2, 2), (3, 9))
    ]
    events += [event(4, 4), event(5, 5, outcome="failed", committed_at=(NOW - timedelta(days=50)).isoformat())]
    key = keys(events)["lead time for changes"]
    assert (key.value, key.of) == (7200.0, 3)


def test_a_deployment_that_a_rollback_took_back_failed() -> None:
    """One of four releases was taken back: a quarter; updates that never served are not among them."""
    events = [event(number, 20 - number) for number in (1, 2, 3, 4)]
    events += [event(3, 2, "rollback", undoes="v4"), event(9, 1, outcome="failed")]
    key = keys(events)["change failure rate"]
    assert (key.value, key.of) == (0.25, 4)


def test_a_failed_rollback_took_nothing_back() -> None:
    """Only a rollback that was made counts."""
    events = [event(number, 20 - number) for number in (1, 2, 3)]
    events += [event(2, 2, "rollback", "failed", undoes="v3")]
    assert keys(events)["change failure rate"].value == 0.0
    assert keys(events)["time to restore"].value is None


def test_time_to_restore_is_from_serving_to_the_end_of_the_rollback() -> None:
    """The release served since two days ago and was taken back half a day ago: a day and a half."""
    events = [event(1, 9), event(2, 2), event(1, 0.5, "rollback", undoes="v2")]
    key = keys(events)["time to restore"]
    assert (key.value, key.of) == (1.5 * 86400, 1)


def test_a_release_that_served_twice_counts_from_the_second_time() -> None:
    """What was released, taken back, released again and taken back again has two times to restore."""
    events = [
        event(1, 40),
        event(2, 30),
        event(1, 29, "rollback", undoes="v2"),
        event(2, 10, replaced="v1"),
        event(1, 7, "rollback", undoes="v2"),
    ]
    key = keys(events)["time to restore"]
    assert (key.value, key.of) == (2 * 86400, 2)


def test_an_empty_history_has_no_keys_and_says_why() -> None:
    """Nothing is made up."""
    for key in four_keys([], NOW):
        assert key.value is None
        assert key.missing
        assert key.to_json()["of"] == 0


@given(
    st.lists(
        st.builds(
            event,
            st.integers(0, 5),
            st.floats(0, 120),
            st.sampled_from(["release", "promotion", "rollback", "revert", "other"]),
            st.sampled_from(["succeeded", "failed"]),
            undoes=st.sampled_from(["", "v1", "v2"]),
        )
    )
)
def test_any_history_has_four_keys_in_their_range(events: list[Event]) -> None:
    """Rates are between 0 and 1, times and counts are not negative, and a key without a value says why."""
    found = four_keys(events, NOW)
    assert [key.name for key in found] == [
        "deployment frequency",
        "lead time for changes",
        "change failure rate",
        "time to restore",
    ]
    for key in found:
        assert (key.value is None) == bool(key.missing)
        assert key.value is None or key.value >= 0
        assert key.unit != "share" or key.value is None or key.value <= 1
