from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.errors import SettingsError
from infra.paths import PROJECT_ROOT
from infra.settings import load_settings, load_stack_file
from infra.settings.model import SECRET_NAMES
from infra.settings.suite import Suite
from tests.support.settings import stack_config, stack_values

if TYPE_CHECKING:
    from pathlib import Path

TLS = {"tls": {"certificate_file": "/etc/acp/tls.pem", "server_name": "acp.example.test"}}


def problems_of(root: Path, **changes: Any) -> tuple[str, ...]:
    """Return the problems of the test stack with these changes."""
    with pytest.raises(SettingsError) as caught:
        load_settings("local", stack_config(**changes), root=root)
    return caught.value.problems


@pytest.mark.parametrize(
    ("checks", "problem"),
    [
        pytest.param({"suite": {"databse": {}}}, "checks.suite.databse: unknown key", id="unknown check"),
        pytest.param({"suite": {"tls": {"days": 3}}}, "checks.suite.tls.days: unknown key", id="unknown parameter"),
        pytest.param(
            {"suite": {"queue": {"severity": "fatal"}}},
            "checks.suite.queue.severity: Input should be 'critical', 'warning' or 'ignore' (got 'fatal')",
            id="unknown severity",
        ),
        pytest.param(
            {"suite": {"queue": {"within_seconds": 0}}},
            "checks.suite.queue.within_seconds: Input should be greater than 0 (got 0)",
            id="no time",
        ),
        pytest.param(
            {"agents_service": "acp-worker"},
            "checks.agents_service: there is no web service 'acp-worker' in services",
            id="no web service",
        ),
        pytest.param(
            {"ingest_service": "acp-other"},
            "checks.ingest_service: there is no web service 'acp-other' in services",
            id="no such service",
        ),
        pytest.param(
            {"smoke": {"within_seconds": 30}},
            "checks.smoke.within_seconds: checks.timeout_seconds ends all checks after 30 s; set it above 30, or give "
            "less",
            id="smoke test cut",
        ),
        pytest.param(
            {"timeout_seconds": 60, "suite": {"vector_store": {"within_seconds": 90}}},
            "checks.suite.vector_store.within_seconds: checks.timeout_seconds ends all checks after 60 s; set it above "
            "90, or give less",
            id="search cut",
        ),
        pytest.param(
            {"suite": {"queue": {"within_seconds": 20}, "vector_store": {"within_seconds": 15}}},
            "checks.suite.queue.within_seconds + checks.suite.vector_store.within_seconds: checks.timeout_seconds ends "
            "all checks after 30 s; set it above 35, or give less",
            id="one after the other cut",
        ),
        pytest.param(
            {"smoke": {"answered": ["completed", "failed"]}},
            "checks.smoke: failed stands in both answered and failed; take it out of one",
            id="answered and failed",
        ),
    ],
)
def test_a_check_that_cannot_be_meant_is_refused(tmp_path: Path, checks: dict[str, Any], problem: str) -> None:
    """An unknown name, a bad value or a service that is not there is named with its path."""
    config = {"edge": TLS, "checks": checks} if "tls" in str(checks) else {"checks": checks}
    assert problems_of(tmp_path, **config) == (problem,)


def test_times_that_fit_the_deadline_of_all_checks_are_taken(tmp_path: Path) -> None:
    """A slower app is given its time together with a later deadline; the usual times need neither."""
    checks = {"timeout_seconds": 90, "suite": {"queue": {"within_seconds": 60}}, "smoke": {"within_seconds": 80}}
    found = load_settings("local", stack_config(checks=checks), root=tmp_path).checks
    assert (found.suite.queue.within_seconds, found.smoke.within_seconds) == (60, 80)
    load_settings("local", stack_config(checks={"timeout_seconds": 5}), root=tmp_path)


def test_a_stack_without_an_agents_service_says_so(tmp_path: Path) -> None:
    """Checks without an endpoint to ask are an error, not silence."""
    services = stack_values()["services"]
    del services["acp-agents"]
    problem = "checks.agents_service: there is no web service 'acp-agents' in services"
    assert problems_of(tmp_path, services=services) == (problem,)


@pytest.mark.parametrize("name", ["tls", "redirect"])
def test_a_check_of_tls_needs_tls(tmp_path: Path, name: str) -> None:
    """Asking for it on a stack without TLS is an error; ignoring it is not."""
    problem = f"checks.suite.{name}: the stack has no edge.tls; add it, or set `severity: ignore`"
    assert problems_of(tmp_path, checks={"suite": {name: {"severity": "critical"}}}) == (problem,)
    for changes in ({"edge": TLS}, {}):
        severity = "critical" if changes else "ignore"
        load_settings("local", stack_config(checks={"suite": {name: {"severity": severity}}}, **changes), root=tmp_path)


def test_an_endpoint_that_is_no_secret_of_the_stack_is_said(tmp_path: Path) -> None:
    """The check of an endpoint needs the secret that names it, unless it is ignored."""
    secrets = {"names": [name for name in SECRET_NAMES if name != "LLM_ENDPOINT"]}
    problem = "checks.suite.llm_endpoint: LLM_ENDPOINT is not in secrets.names; add it, or set `severity: ignore`"
    assert problems_of(tmp_path, secrets=secrets) == (problem,)
    ignored = {"suite": {"llm_endpoint": {"severity": "ignore"}}}
    load_settings("local", stack_config(secrets=secrets, checks=ignored), root=tmp_path)


def test_production_has_the_enhanced_list() -> None:
    """Everything is asked and critical there, more often and with less patience than by default."""
    production = load_stack_file("production", PROJECT_ROOT).checks
    assert {production.suite.check(name).severity for name in Suite.model_fields} == {"critical"}
    default = Suite()
    assert production.suite.tls.min_days_left > default.tls.min_days_left
    assert production.suite.disk_space.min_free_bytes > default.disk_space.min_free_bytes
    assert default.metrics.severity == default.redirect.severity == "ignore"
