from __future__ import annotations

from typing import Any

import pytest

from infra.domain.differences import GO_ON as GO_ON_TEXT
from infra.domain.differences import ON_TRIAL as ON_TRIAL_TEXT
from infra.domain.differences import REACH, find_differences

STACK = "staging"
GO_ON, ON_TRIAL = (text.replace("--stack STACK", "--stack staging") for text in (GO_ON_TEXT, ON_TRIAL_TEXT))
RELEASE = "v2-0"
IMAGES = {"acp-ingest": "registry/ingest@sha256:1"}
ENTRY = {"release": RELEASE, "images": IMAGES, "hosts": {"h1": "ssh-ed25519 AAAA"}}


def host(**changes: Any) -> dict[str, Any]:
    """Return what is known of a host that serves the release from the recorded image."""
    containers = {RELEASE: [{"name": "ingest-1", "image": IMAGES["acp-ingest"]}]}
    sound = {"host": "h1", "serving": RELEASE, "candidate": None, "phase": "idle", "containers": containers}
    return {**sound, "drift": [], **changes}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"serving": None}, [("it serves nothing, the record says v2-0", GO_ON)]),
        ({"candidate": "v3-0", "phase": "shift"}, [("a candidate is on trial: v3-0 (shift)", ON_TRIAL)]),
        ({"drift": [{"what": "a container is missing", "mend": "m"}]}, [("a container is missing", "m")]),
        (
            {"serving": "v1-0", "drift": [{"what": "x", "mend": "y"}]},
            [("it serves v1-0, the record says v2-0", GO_ON), ("x", "y")],
        ),
        ({"error": "gone"}, [("gone", REACH)]),
        ({"error": "gone", "mend": "start it"}, [("gone", "start it")]),
        (
            {"drift": [{"what": "x", "mend": "`acp-release status --repair --stack STACK`"}]},
            [("x", "`acp-release status --repair --stack staging`")],
        ),
    ],
)
def test_differences_are_said_in_words_with_their_mend(changes: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Another release, a trial under way, drift and silence are each a difference; a mend names the stack."""
    seen = find_differences(STACK, ENTRY, [host(**changes)])
    assert [(difference.what, difference.mend) for difference in seen] == found
    assert {difference.host for difference in seen} <= {"h1"}


def test_an_image_that_the_record_does_not_have_is_a_difference() -> None:
    """A host whose own description was changed too is found by the record's digests."""
    changed = {RELEASE: [{"name": "ingest-1", "image": "registry/ingest@sha256:2"}]}
    (difference,) = find_differences(STACK, ENTRY, [host(containers=changed)])
    assert difference.what == "ingest-1 runs registry/ingest@sha256:2, which the record does not have"


def test_a_rollback_that_was_cut_off_is_asked_for_again() -> None:
    """Where an earlier recorded release serves, an update would find nothing to do: the rollback is the mend."""
    (difference,) = find_differences(STACK, ENTRY, [host(serving="v1-0")], {RELEASE, "v1-0"})
    assert difference.mend.startswith("`acp-release rollback --to v1-0 --stack staging --yes`")


def test_a_host_that_a_rollback_left_alone_is_brought_back_by_the_same() -> None:
    """It serves a recorded release, but the record says that the rollback never reached it."""
    entry = {**ENTRY, "hosts": {"h2": "ssh-ed25519 BBBB"}}
    (difference,) = find_differences(STACK, entry, [host(serving="v1-0")], {RELEASE, "v1-0"})
    again = f"`acp-release rollback --to {RELEASE} --stack staging --yes`"
    assert difference.mend == f"{again} brings it to what the other hosts serve"


def test_a_new_stack_differs_from_nothing() -> None:
    """No release, and hosts that serve none, agree."""
    assert find_differences(STACK, {}, [host(serving=None, containers={})]) == []
