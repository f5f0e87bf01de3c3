from __future__ import annotations

from typing import Any

from infra.domain.registry_retention import kept_releases, spare_digests
from infra.domain.rollback import default_target
from infra.domain.rollback_change import describe_rollback
from tests.support.release import IMAGES, image, make_release
from tests.support.settings import make_settings


def entry(release: str, kind: str = "release", replaced: str = "", digit: str = "") -> dict[str, Any]:
    """Return a recorded release."""
    images = {"acp-ingest": f"r.test/acp/acp-ingest@sha256:{(digit or release[1]) * 64}"}
    return {"release": release, "kind": kind, "replaced": replaced, "images": images, "platform": {}}


def recorded(*, template_changes: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a whole recorded release, bent."""
    from infra.domain.ledger import release_summary  # noqa: PLC0415 - only here
    from tests.support.release import template  # noqa: PLC0415 - only here

    settings = make_settings(**changes.pop("settings", {}))
    compose = template()
    compose["services"]["ingest"] |= template_changes or {}
    release = make_release(settings, compose=compose, **changes)
    return {
        "release": release.id,
        "images": {ref.name: ref.pinned for ref in release.images},
        "spec": dict(release.spec),
        "summary": release_summary(settings, release),
    }


class TestTarget:
    """Where a rollback without a name goes."""

    def test_it_is_the_release_before(self) -> None:
        """The last one that served before the current one."""
        target = default_target([entry("v2-0"), entry("v1-0")])
        assert target is not None
        assert (target.entry["release"], target.why) == ("v1-0", "the last release that served before v2-0")

    def test_asked_twice_it_goes_back_twice_and_says_why(self) -> None:
        """Not forth to the release that was just taken back."""
        history = [entry("v2-0", "rollback", "v3-0"), entry("v3-0"), entry("v2-0"), entry("v1-0")]
        target = default_target(history)
        assert target is not None
        assert target.entry["release"] == "v1-0"
        assert "which was itself a rollback from v3-0" in target.why

    def test_a_release_that_stood_twice_is_gone_back_to_where_it_stood_last(self) -> None:
        """What served between its two times served before it, not what served before the first."""
        names = ("c0", "a0", "b0", "a0", "z0")
        history = [entry("a0", "rollback", "c0", "1"), *(entry(name, digit="1") for name in names)]
        target = default_target(history)
        assert target is not None
        assert target.entry["release"] == "b0"

    def test_there_may_be_none(self) -> None:
        """A first release, or nothing at all."""
        assert default_target([]) is None
        assert default_target([entry("v1-0")]) is None


class TestChange:
    """What the plan says."""

    def test_equal_releases_differ_in_nothing(self) -> None:
        """The names that a release has from its own id are no difference."""
        assert describe_rollback(recorded(), recorded()) == []

    def test_images_settings_and_secrets_are_named(self) -> None:
        """Versions with both values, secrets by name only."""
        newer = {**IMAGES, "acp-ingest": image("acp-ingest", "c", "v1.5.0")}
        current = recorded(
            images=newer, fingerprints={"SECRET_KEY": "1" * 16}, settings={"environment": {"LOG_LEVEL": "DEBUG"}}
        )
        lines = describe_rollback(current, recorded(settings={"environment": {"LOG_LEVEL": "INFO"}}))
        assert lines[:3] == [
            "acp-ingest v1.5.0 → v1.4.2",
            "environment LOG_LEVEL DEBUG → INFO",
            "secret SECRET_KEY changed",
        ]

    def test_another_digest_of_the_same_version_is_named(self) -> None:
        """A version that was built twice."""
        current = recorded(images={**IMAGES, "acp-ingest": image("acp-ingest", "c")})
        assert any(line.startswith("acp-ingest sha256:cccc") for line in describe_rollback(current, recorded()))

    def test_a_changed_compose_file_is_named_by_path(self) -> None:
        """What was added, removed and changed, without values."""
        current = recorded(template_changes={"pids_limit": 64, "cap_add": ["CHOWN"]})
        lines = [line for line in describe_rollback(current, recorded()) if line.startswith("compose")]
        assert lines == ["compose - ingest.cap_add", "compose ingest.pids_limit changed"]

    def test_a_schema_that_goes_back_is_named(self) -> None:
        """The label tells; the data is not moved."""
        current = recorded(template_changes={"labels": {"acp.schema": "8"}})
        (line,) = describe_rollback(current, recorded(template_changes={"labels": {"acp.schema": "7"}}))
        assert line.startswith("migrations: ingest goes from schema 8 to 7")


class TestRegistry:
    """What the registry keeps."""

    HISTORY = tuple(entry(f"v{n}-0") for n in range(8, 0, -1))

    def test_current_previous_pinned_and_some_more_are_kept(self) -> None:
        """Newest first, beyond the current one."""
        assert kept_releases(self.HISTORY, keep=2, pinned={"v1-0"}) == {"v8-0", "v7-0", "v6-0", "v1-0"}
        assert kept_releases([], keep=2, pinned=()) == set()

    def test_the_release_before_a_rollbacks_target_is_kept(self) -> None:
        """Where the next rollback would go, however far that is."""
        history = [entry("v3-0", "rollback", "v8-0"), *self.HISTORY]
        assert "v2-0" in kept_releases(history, keep=1, pinned=())

    def test_a_digest_that_another_stack_keeps_is_not_spare(self) -> None:
        """Every stack counts, and so does every release that shares a digest."""
        other = [entry("v2-0")]
        spare = spare_digests({"local": self.HISTORY, "staging": other}, keep=2, pinned=())
        assert [item.release for item in spare] == ["v1-0", "v3-0", "v4-0", "v5-0"]

    def test_a_shared_digest_is_kept(self) -> None:
        """An old release with the image of a new one."""
        history = [*self.HISTORY[:7], entry("v1-0", digit="8")]
        assert "v1-0" not in [item.release for item in spare_digests({"local": history}, keep=2, pinned=())]
