from __future__ import annotations

import asyncio
import re
from typing import Any

import pulumi
import pytest

from infra import release
from infra.domain.origin import Origin
from infra.errors import UsageError
from infra.release import (
    RISK_VARIABLE,
    Earlier,
    accepted_risk,
    choose_run_id,
    fingerprints,
    origin_of,
    others_told,
    run_id_of,
)
from infra.settings.secrets import SecretValues
from tests.support.release import IMAGES, make_release
from tests.support.settings import make_settings, service, services


class Engine:
    """A Pulumi engine that began at a moment (Unix time)."""

    def __init__(self, pid: int, began: float) -> None:
        """Have a process id."""
        self.pid, self._began = pid, began

    def create_time(self) -> float:
        """Return when it began."""
        return self._began


def test_a_run_in_ci_begins_with_the_run_of_ci() -> None:
    """Run and attempt come first, so that a repeated job is another run."""
    assert re.fullmatch(r"ci-77-2-\d{8}T\d{6}Z-\d+", choose_run_id({"GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2"}))
    assert choose_run_id({"GITHUB_RUN_ID": "77"}).startswith("ci-77-1-")
    assert re.fullmatch(r"\d{8}T\d{6}Z-\d+", choose_run_id({}))


@pytest.mark.parametrize("environ", [{}, {"GITHUB_RUN_ID": "77"}], ids=["by hand", "ci"])
def test_a_run_is_that_of_one_update(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """Preview and update have one engine and one id; a second update, of the same CI run too, has another."""
    engines = [Engine(7, 0.0), Engine(7, 0.0), Engine(7, 1.0), Engine(8, 1.0)]
    monkeypatch.setattr(release, "find_engine", lambda: engines.pop(0))
    preview, update, again, beside = (choose_run_id(environ) for _ in range(4))
    assert preview == update
    assert len({update, again, beside}) == 3


def test_a_new_stack_has_no_entry_and_a_fresh_key() -> None:
    """Two new stacks never share a key, and the key is not shown."""
    one, other = Earlier.of({}, {}), Earlier.of({}, {})
    assert one.entry == {}
    assert one.find("v1-0") is None
    assert one.fingerprint_key != other.fingerprint_key
    assert one.fingerprint_key not in repr(one)


def test_a_recorded_stack_keeps_its_key_and_numbers() -> None:
    """What the engine made a float is whole again."""
    found = Earlier.of(
        {"fingerprint_key": "k", "release_entry": {"release": "v1-0", "n": 2.0}, "history": [{"release": "v1-0"}]},
        {"h1": ""},
    )
    assert found.fingerprint_key == "k"
    assert repr(found.entry["n"]) == "2"
    assert found.find("v1-0") == {"release": "v1-0"}


def test_the_newest_entry_of_a_release_is_found() -> None:
    """A release that was made twice is the later one."""
    history = [
        {"release": "v1-0", "run_id": "b"},
        {"release": "v2-0", "run_id": "c"},
        {"release": "v1-0", "run_id": "a"},
    ]
    assert Earlier.of({"history": history}, {}).find("v1-0") == history[0]


def test_only_the_apps_secrets_have_fingerprints() -> None:
    """The registry's password is no part of a release."""
    settings = make_settings(secrets={"names": ["SECRET_KEY"]})
    values = SecretValues(values={"SECRET_KEY": "s3cr3t", "REGISTRY_PASSWORD": "s3cr3t-2"})
    found = fingerprints(settings, values, "key")
    assert list(found) == ["SECRET_KEY"]
    assert "s3cr3t" not in found["SECRET_KEY"]


def test_risk_is_accepted_for_rollbacks_only() -> None:
    """A release with findings needs a waiver; only going back may be forced, with a reason."""
    going_back = make_settings(rollback_to="v1-0")
    assert accepted_risk(going_back, {RISK_VARIABLE: " outage 42 "}) == "outage 42"
    assert accepted_risk(going_back, {}) == ""
    assert accepted_risk(make_settings(), {RISK_VARIABLE: "  "}) == ""
    with pytest.raises(UsageError, match="only for rollbacks"):
        accepted_risk(make_settings(), {RISK_VARIABLE: "because"})


@pytest.mark.parametrize(
    ("known_to_git", "promoted", "commit", "branch"),
    [
        ("abc123", [], "abc123", "main"),
        ("abc123", [{"version": "v1.4.2", "commit": "c0ffee", "branch": "next"}], "c0ffee", "next"),
        ("", [{"version": "v1.4.1", "commit": "c0ffee", "branch": "next"}], "", ""),
    ],
    ids=["git knows the tag", "promoted from another stack", "nobody knows"],
)
def test_a_published_tag_names_the_commit_it_was_built_from(
    monkeypatch: pytest.MonkeyPatch, known_to_git: str, promoted: list[dict[str, str]], commit: str, branch: str
) -> None:
    """The stack that released it first knows best, then git; a tag that nobody knows has no commit and no branch."""
    monkeypatch.setattr(
        release, "read_origin", lambda _environ, _root, known: Origin(who="ann", commit=known, branch="main")
    )
    found = origin_of(make_settings(image_tag="v1.4.2"), known_to_git, Earlier.of({}, {}), promoted)
    assert (found.who, found.commit, found.branch) == ("ann", commit, branch)


class TestOthersTold:
    """What an update is told of releases that it finds on the hosts."""

    TODAY = make_settings()
    THEN = make_settings(services=services(routes={"public_port": 9000}))
    THIRD = make_settings(services=services(routes={"public_port": 9100}))

    @staticmethod
    def recorded(told: dict[str, Any]) -> Earlier:
        """Return a record whose latest entry says this of its release."""
        return Earlier.of({"release_entry": {"release": "v1-a", "settings": told}}, {})

    def test_nothing_where_nothing_moved(self) -> None:
        """Nor on a new stack: so the state has nothing twice."""
        for earlier in (self.recorded(self.TODAY.of_release()), Earlier.of({}, {})):
            assert others_told(self.TODAY, self.TODAY, earlier) == {}

    def test_how_the_recorded_one_is_asked_where_that_was_another_way(self) -> None:
        """As its entry has it."""
        found = others_told(self.TODAY, self.TODAY, self.recorded(self.THEN.of_release()))
        assert found == {"v1-a": self.THEN.of_release()}

    def test_a_rollback_is_told_of_today_too(self) -> None:
        """The release that it takes back may be in no record, or be as the stack file has it."""
        third, today = self.THIRD.of_release(), self.TODAY.of_release()
        assert others_told(self.THEN, self.TODAY, self.recorded(third)) == {"": today, "v1-a": third}
        assert others_told(self.THEN, self.TODAY, self.recorded(today)) == {"": today}

    @pytest.mark.parametrize(
        "told",
        [
            {"settings": {"services": {"acp-ingest": {"colour": "green"}}, "checks": {}}},
            {"spec": make_release(make_settings(services={"acp-docs": service()})).spec},
        ],
        ids=["a later version's", "an earlier version's"],
    )
    def test_an_entry_that_does_not_say_it_stops_no_release(self, told: dict[str, Any]) -> None:
        """The settings of today stand in."""
        images = {name: ref.pinned for name, ref in IMAGES.items()}
        earlier = Earlier.of({"release_entry": {"release": "v1-a", "images": images, **told}}, {})
        assert others_told(self.TODAY, self.TODAY, earlier) == {}


RELEASE = make_release(make_settings()).id
HOSTS = {"h1": "ssh-ed25519 AAAA1", "h2": "ssh-ed25519 AAAA2"}
LEFT = dict.fromkeys(HOSTS, "")


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ({"release": RELEASE, "hosts": HOSTS}, "recorded"),
        ({"release": RELEASE, "hosts": {**HOSTS, "h3": "ssh-ed25519 AAAA3"}}, "recorded"),
        ({"release": "another", "hosts": HOSTS}, "fresh"),
        ({"release": RELEASE, "hosts": {"h1": HOSTS["h1"]}}, "fresh"),
        ({"release": RELEASE, "hosts": {**HOSTS, "h2": "ssh-ed25519 AAAA9"}}, "fresh"),
        ({"release": RELEASE}, "fresh"),
        ({}, "fresh"),
    ],
    ids=["same", "a host left", "another release", "a new host", "another machine", "an older record", "a new stack"],
)
def test_what_is_recorded_for_every_host_is_not_released_again(recorded: dict[str, Any], expected: str) -> None:
    """A release is run again when a host of the stack has never had it."""
    earlier = Earlier.of({"release_entry": {"run_id": "recorded", **recorded}, "history": []}, LEFT)

    async def chosen() -> str | None:
        wanted = pulumi.Output.from_input(make_release(make_settings()))
        return await run_id_of(wanted, earlier, HOSTS, "fresh").future()

    assert asyncio.run(chosen()) == expected


def test_going_back_to_the_recorded_release_is_a_run_of_its_own() -> None:
    """What serves is in no record then, and the record says who went back."""
    recorded = {"run_id": "recorded", "release": RELEASE, "hosts": HOSTS}
    earlier = Earlier.of({"release_entry": recorded, "history": []}, LEFT)

    async def chosen() -> str | None:
        wanted = pulumi.Output.from_input(make_release(make_settings()))
        return await run_id_of(wanted, earlier, HOSTS, "fresh", goes_back=True).future()

    assert asyncio.run(chosen()) == "fresh"
