from __future__ import annotations

from typing import Any

import pytest

from infra.domain.ledger import Run, entry_of, figures, verdicts
from infra.domain.origin import Origin, ci_origin
from infra.domain.rollback import read_message, rollback_message
from tests.support.release import make_release
from tests.support.settings import make_settings

CI = {
    "GITHUB_ACTOR": "ann",
    "GITHUB_SERVER_URL": "https://github.test",
    "GITHUB_REPOSITORY": "acp/app",
    "GITHUB_RUN_ID": "77",
    "GITHUB_REF_NAME": "main",
    "ACP_APPROVED_BY": " bob ",
}
ORIGIN = Origin(who="ann", source="desk", commit="c0ffee", branch="main", committed_at="2026-01-05T09:00:00+00:00")
TODAY = {"SECRET_KEY": "1" * 16}
SUMMARY = {"versions": {"acp-ingest": "v1"}, "environment": {"OLD": "1"}, "secrets": {}, "services": {}}


def entry(
    report: dict[str, Any] | None = None, *, summary: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """Return the record of a release."""
    settings = make_settings(**changes)
    return entry_of(
        settings,
        release=make_release(settings),
        run_id="run-1",
        report=report or {},
        platform={"edge": "r.test/haproxy@sha256:" + "d" * 64},
        gate={"scans": [{"name": "a", "passed": True, "findings": {"LOW": {"fixable": 1, "unfixed": 2}}}]},
        run=Run(
            origin=ORIGIN,
            started_at="2026-01-05T10:00:00+00:00",
            ended_at="2026-01-05T10:01:00+00:00",
            replaced="v0-0",
            fingerprints=TODAY,
            summary=summary or {},
        ),
    )


def test_a_release_is_recorded_with_who_when_and_from_where() -> None:
    """Author, commit with branch and time, machine, start and end, what it replaced."""
    found = entry()
    assert ORIGIN.to_json().items() <= found.items()
    assert (found["kind"], found["outcome"], found["replaced"]) == ("release", "succeeded", "v0-0")
    assert found["started_at"] < found["ended_at"]


def test_hosts_are_recorded_with_their_keys() -> None:
    """A machine with the name of an earlier one is told apart from it."""
    settings = make_settings()
    assert entry()["hosts"] == {host.name: host.host_key for host in settings.hosts}
    assert entry()["hosts"]


def test_what_the_settings_say_of_the_release_is_recorded() -> None:
    """Its services and how the checks ask them; nothing of hosts, keys, secrets and rules."""
    settings = make_settings()
    found = entry()["settings"]
    assert found["services"] == settings.model_dump(mode="json")["services"]
    assert found["services"]["acp-ingest"]["health"] == {"path": "/health", "field": "status", "equals": "healthy"}
    assert set(found) == {"services", "checks"}
    assert found["checks"]["ingest_service"] == "acp-ingest"
    assert set(found["checks"]) == {"ingest_service", "agents_service", "smoke"}


def test_whatever_the_rollout_reports_is_recorded() -> None:
    """Also what this file knows nothing of; whole numbers are whole."""
    found = entry({"certificate": {"sent": 10.0, "failed": 0.0, "p99_ms": 7.5}, "later": [1.0], "previous": "v0-0"})
    assert found["certificate"] == {"sent": 10, "failed": 0, "p99_ms": 7.5}
    assert found["later"] == [1]
    assert "previous" not in found
    assert found["figures"] == {"p99_ms": 7.5, "sent": 10, "lost": 0}


def test_verdicts_are_a_few_words() -> None:
    """Scans with what was found, and how many checks passed."""
    checks = [{"passed": True}, {"passed": False}]
    found = entry({"checks": checks})
    assert found["verdicts"] == {"scans": {"a": "passed: LOW 3"}, "checks": {"passed": 1, "failed": 1}}
    assert verdicts({}) == {}
    assert figures({"certificate": "none"}) == {}


def test_no_secret_value_is_recorded() -> None:
    """Names and keyed hashes only."""
    found = entry()
    assert found["fingerprints"] == {"SECRET_KEY": "0" * 16}
    assert found["summary"]["secrets"] == found["fingerprints"]
    assert found["spec"]["compose"]["services"]["ingest"]["environment"]["SECRET_KEY"] == "${SECRET_KEY}"


@pytest.mark.parametrize(("warm", "prints"), [({"h1": True}, "0" * 16), ({"h1": True, "h2": False}, "1" * 16)])
def test_a_rollback_is_recorded_with_the_secrets_its_containers_have(warm: dict[str, bool], prints: str) -> None:
    """Those of then where all came back warm, today's where any was made anew; all else is as it was recorded."""
    found = entry({"warm": warm}, rollback_to="v1-0", summary=SUMMARY)
    assert found["kind"] == "rollback"
    assert found["fingerprints"] == found["summary"]["secrets"] == {"SECRET_KEY": prints}
    assert found["summary"]["environment"] == {"OLD": "1"}
    assert found["strategy"] == "blue-green"


def test_ci_says_who_where_and_who_approved() -> None:
    """Outside of CI nothing is known from there."""
    assert ci_origin(CI) == {
        "who": "ann",
        "source": "https://github.test/acp/app",
        "ci_run": "https://github.test/acp/app/actions/runs/77",
        "branch": "main",
        "approver": "bob",
    }
    assert ci_origin({}) == {}


def test_a_recorded_release_keeps_its_own_commit() -> None:
    """Whoever goes back to it, from whichever checkout."""
    origin = Origin(who="bob", commit="other").of_release({"commit": "c0ffee", "branch": "main"})
    assert (origin.who, origin.commit, origin.branch) == ("bob", "c0ffee", "main")
    assert ORIGIN.of_release(None) == ORIGIN


def test_a_rollbacks_message_says_what_was_tried() -> None:
    """The history has it also when the update fails before anything else is known."""
    assert read_message(rollback_message("v1-0", "ann@desk")) == {"release": "v1-0", "who": "ann", "kind": "rollback"}
    assert read_message("Change something") == {}
