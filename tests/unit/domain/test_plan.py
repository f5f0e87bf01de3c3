from __future__ import annotations

import dataclasses

import pytest

from infra.domain.plan import Plan, differences, to_markdown

PLAN = Plan(
    stack="production",
    commit="a" * 40,
    source={"image_tag": "v1.4.2"},
    built_from={},
    release="v1.4.2-1a2b3c4d",
    images={"acp-ingest": "r/acp-ingest@sha256:1", "edge": "r/haproxy@sha256:2"},
    head={"release": "v1.4.1-00000000", "run": "ci-6-1", "last update": "update then succeeded"},
    changes=("acp-ingest v1.4.1 → v1.4.2",),
    steps=("update command:remote:Command h1-candidate-start (stdin)",),
)


def test_a_plan_that_still_holds_has_no_difference() -> None:
    """The same plan made again is the same text and hash."""
    again = dataclasses.replace(PLAN, images=dict(reversed(PLAN.images.items())))
    assert differences(PLAN, again) == []
    assert (again.text, again.hash) == (PLAN.text, PLAN.hash)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"commit": "b" * 40}, ["the commit: approved"]),
        ({"built_from": {"acp-ingest": "v1.4.2 abc"}}, ["the sources of acp-ingest: approved none, now v1.4.2 abc"]),
        ({"images": {**PLAN.images, "edge": "r/haproxy@sha256:9"}}, ["the digest of edge: approved r/haproxy"]),
        ({"images": {**PLAN.images, "redis": "r/redis@sha256:3"}}, ["the digest of redis: approved none"]),
        ({"head": {**PLAN.head, "last update": "update later failed"}}, ["the stack's history last update: approved"]),
        ({"head": {**PLAN.head, "release": "v1.4.3-11111111"}}, ["the stack's history release: approved v1.4.1"]),
        ({"steps": ()}, ["the preview: - update command:remote:Command"]),
        ({"changes": (*PLAN.changes, "secret DATABASE_URL changed")}, ["the preview: + secret DATABASE_URL changed"]),
        ({"source": {}}, ["the request image_tag: approved v1.4.2, now none"]),
        ({"release": "v1.4.2-ffffffff"}, ["the release: approved v1.4.2-1a2b3c4d, now v1.4.2-ffffffff"]),
        ({"stack": "staging"}, ["the stack: approved production, now staging"]),
    ],
)  # fmt: skip
def test_each_difference_is_named(change: dict[str, object], named: list[str]) -> None:
    """Commit, sources, digests, history, request, release and preview are compared, and what differs is said."""
    other = dataclasses.replace(PLAN, **change)  # type: ignore[arg-type]
    found = differences(PLAN, other)
    assert len(found) == len(named)
    assert all(line.startswith(start) for line, start in zip(found, named, strict=True)), found
    assert other.hash != PLAN.hash


def test_a_plan_without_a_commit_says_so() -> None:
    """Without git nothing is quoted as a commit."""
    assert f"from commit `{'a' * 12}`, on top of" in to_markdown(PLAN)
    without = to_markdown(dataclasses.replace(PLAN, commit=""))
    assert "Release `v1.4.2-1a2b3c4d` from no commit (git knows none here), on top of" in without


def test_text_of_unknown_origin_cannot_leave_its_block() -> None:
    """Backticks and mentions in a changed setting stay inside the code block of the comment."""
    text = to_markdown(dataclasses.replace(PLAN, changes=("environment NOTE a → ```\n@everyone <img src=x>",)))
    before, _, rest = text.partition("@everyone")
    assert before.count("````") == 1
    assert "````" in rest
