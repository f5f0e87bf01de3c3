from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.blame import at_fault, diagnose, relations
from infra.checks.result import CheckResult
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from infra.settings.suite import Severity


REPLICA = "acp-agents replica x-2"


def failed(*dependencies: str, severity: Severity = "critical") -> CheckResult:
    """Return a failure that points to these."""
    return CheckResult(
        check="c", target="t", passed=False, asked="a", came="b", seconds=0.1, dependencies=dependencies,
        severity=severity,
    )  # fmt: skip


def passed() -> CheckResult:
    """Return a good result."""
    return CheckResult(check="c", target="t", passed=True, asked="a", came="b", seconds=0.1)


def faults(*results: CheckResult, one_model: bool = False, checks: dict[str, Any] | None = None) -> list[str]:
    """Return what is at fault on the test stack."""
    known = relations(make_settings(checks=checks or {}), one_model=one_model)
    return at_fault(diagnose(results, known))


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        pytest.param([], [], id="nothing failed"),
        pytest.param([passed()], [], id="all passed"),
        pytest.param([failed("acp-ingest")], ["acp-ingest"], id="the service itself"),
        pytest.param([failed("acp-ingest"), failed("database")], ["database"], id="a service follows its database"),
        pytest.param([failed("acp-agents"), failed("acp-ingest")], ["acp-ingest"], id="agents follow ingest"),
        pytest.param([failed("knowledge_service"), failed("redis")], ["redis"], id="by the app's own names"),
        pytest.param([failed("database", "acp-worker")], ["database"], id="within one result"),
        pytest.param([failed("database"), failed("redis")], ["database", "redis"], id="two by themselves"),
        pytest.param([failed("acp-worker"), failed("acp-ingest")], ["acp-worker", "acp-ingest"], id="no relation"),
        pytest.param([failed("acp-agents"), failed(REPLICA)], [REPLICA], id="replica"),
        pytest.param([failed(REPLICA), failed("redis")], ["redis"], id="a replica follows, too"),
        pytest.param([failed("acp-agents"), failed("host h2")], ["host h2"], id="host away"),
        pytest.param([failed("acp-ingest"), failed("certificate")], ["certificate"], id="certificate"),
        pytest.param([failed("disk_space"), failed("database")], ["disk_space", "database"], id="full disk"),
        pytest.param([failed("postgres"), failed("chroma")], ["database", "vector_store"], id="a store of its own"),
        pytest.param([failed("new_thing"), failed("acp-ingest")], ["new_thing", "acp-ingest"], id="unknown to us"),
    ],
)  # fmt: skip
def test_only_what_fails_by_itself_is_at_fault(results: list[CheckResult], expected: list[str]) -> None:
    """What relies on something else that failed follows from it."""
    assert faults(*results) == expected


def test_a_store_within_the_database_follows_it() -> None:
    """Where the stack keeps vectors in the database, a failure of both is the database's."""
    checks = {"suite": {"vector_store": {"kept_in": "database"}}}
    assert faults(failed("chroma", "database"), failed("vector_store"), checks=checks) == ["database"]
    assert faults(failed("vector_store"), checks=checks) == ["vector_store"]


def test_one_server_for_both_models_is_one_dependency() -> None:
    """LLM and embeddings from the same server fail together."""
    both = (failed("llm_endpoint"), failed("embedding_endpoint"), failed("acp-worker"))
    assert faults(*both, one_model=True) == ["model_endpoint"]
    assert faults(*both) == ["llm_endpoint", "embedding_endpoint"]


def test_what_fails_a_release_comes_first() -> None:
    """Warnings are named after what is critical."""
    assert faults(failed("disk_space", severity="warning"), failed("redis")) == ["redis", "disk_space"]


def test_a_consequence_says_of_what() -> None:
    """Each failure either names what is at fault, or what it follows from."""
    known = relations(make_settings(), one_model=False)
    service, database = diagnose([failed("acp-ingest"), failed("acp-ingest", "database")], known)
    assert (service.dependencies, service.follows_from) == (("acp-ingest",), ("database",))
    assert (database.dependencies, database.follows_from) == (("database",), ())
