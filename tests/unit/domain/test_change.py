from __future__ import annotations

from typing import Any

from infra.domain.change import describe_change, summarise

SERVICE = {"name": "acp-ingest", "replicas": 1, "memory_bytes": 512, "cpus": 1.0, "drain_timeout_seconds": 30}


def summary(**changes: Any) -> dict[str, Any]:
    """Return the summary of a small release."""
    values: dict[str, Any] = {
        "versions": {"acp-ingest": "v1.4.1"},
        "environment": {"LOG_LEVEL": "INFO"},
        "secrets": {"SECRET_KEY": "aaaa"},
        "services": [SERVICE],
        **changes,
    }
    return summarise(values["versions"], values["environment"], values["secrets"], values["services"])


def test_the_same_release_changes_nothing() -> None:
    """Nothing is said when nothing differs."""
    assert describe_change(summary(), summary()) == []


def test_a_new_version_is_said_as_old_and_new() -> None:
    """`acp-ingest v1.4.1 → v1.4.2`."""
    assert describe_change(summary(), summary(versions={"acp-ingest": "v1.4.2"})) == ["acp-ingest v1.4.1 → v1.4.2"]


def test_a_first_release_names_its_versions_only() -> None:
    """On a new stack there is nothing to compare environment and limits with."""
    assert describe_change({}, summary()) == ["acp-ingest (none) → v1.4.1"]


def test_environment_names_are_added_removed_and_changed() -> None:
    """Plain settings are shown with their values when they change."""
    lines = describe_change(summary(environment={"A": "1", "B": "2"}), summary(environment={"B": "3", "C": "4"}))
    assert lines == ["environment + C", "environment - A", "environment B 2 → 3"]


def test_the_first_environment_name_of_a_stack_is_shown() -> None:
    """A stack that had no plain setting shows the one it gets."""
    assert describe_change(summary(environment={}), summary()) == ["environment + LOG_LEVEL"]


def test_a_secret_shows_that_it_changed_and_nothing_more() -> None:
    """Neither value nor fingerprint of a secret is in the words."""
    lines = describe_change(summary(), summary(secrets={"SECRET_KEY": "bbbb", "NEW_KEY": "cccc"}))
    assert lines == ["secret + NEW_KEY", "secret SECRET_KEY changed"]


def test_limits_are_said_as_old_and_new() -> None:
    """Replicas, memory, CPUs and drain time are compared by service."""
    lines = describe_change(summary(), summary(services=[{**SERVICE, "memory_bytes": 1024, "replicas": 2}]))
    assert lines == ["acp-ingest replicas 1 → 2", "acp-ingest memory_bytes 512 → 1024"]


def test_a_whole_limit_is_said_without_a_fraction() -> None:
    """The record has whole numbers, whatever the settings have."""
    lines = describe_change(summary(), summary(services=[{**SERVICE, "drain_timeout_seconds": 45.0, "cpus": 1}]))
    assert lines == ["acp-ingest drain_timeout_seconds 30 → 45"]


def test_services_are_added_and_removed() -> None:
    """A service that comes or goes is named."""
    lines = describe_change(summary(), summary(services=[{**SERVICE, "name": "acp-agents"}]))
    assert lines == ["service acp-agents added", "service acp-ingest removed"]


def test_an_image_that_is_gone_is_named() -> None:
    """An image of the old release that the new one lacks is said to go."""
    assert describe_change(summary(versions={"acp-ingest": "v1.4.1", "acp-old": "v1"}), summary()) == [
        "acp-old v1 → (none)"
    ]
