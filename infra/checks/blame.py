"""Which dependency is at fault: what failed, less what only follows from something else that failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.checks.result import CheckResult
    from infra.settings import Settings

DATABASE = "database"
REDIS = "redis"
VECTOR_STORE = "vector_store"
LLM = "llm_endpoint"
EMBEDDING = "embedding_endpoint"
MODEL = "model_endpoint"
CERTIFICATE = "certificate"
RELEASE = "release"
DISK_SPACE = "disk_space"
REPLICA = " replica "

TOLD_NAMES = {"postgres": DATABASE, "postgresql": DATABASE, "chroma": VECTOR_STORE, "chromadb": VECTOR_STORE}
"""How the app and the data services call the same dependencies."""

KNOWLEDGE = "knowledge_service"
"""How acp-agents calls the ingest service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What each dependency is called, and what it relies on itself."""

    names: Mapping[str, str]
    relies_on: Mapping[str, frozenset[str]]

    def name(self, told: str) -> str:
        """Return the one name of a dependency."""
        return self.names.get(told, told)

    def roots(self, name: str, failing: frozenset[str]) -> frozenset[str]:
        """Return which of the failing ones `name` follows from; none when it fails by itself."""
        reached = (self._below(name) | self._replicas(name, failing)) & failing - {name}
        return frozenset(other for other in reached if not self.roots(other, failing - {name}))

    def _below(self, name: str) -> frozenset[str]:
        """Return all that a dependency relies on, directly or not."""
        below: frozenset[str] = frozenset()
        new = self.relies_on.get(name.partition(REPLICA)[0], frozenset())
        while new - below:
            below |= new
            new = frozenset().union(*(self.relies_on.get(other, frozenset()) for other in new))
        return below

    @staticmethod
    def _replicas(service: str, failing: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in failing if name.startswith(service + REPLICA))


def host_name(name: str) -> str:
    """Return a host as a dependency."""
    return f"host {name}"


def relations(settings: Settings, *, one_model: bool) -> Relations:
    """Return the relations of a stack; with `one_model` LLM and embeddings come from the same server."""
    checks = settings.checks
    names = {**TOLD_NAMES, KNOWLEDGE: checks.ingest_service}
    if one_model:
        names |= {LLM: MODEL, EMBEDDING: MODEL}
    store = {DATABASE} if checks.suite.vector_store.kept_in == "database" else set()
    # A stack whose release or certificate is the wrong one cannot be judged further, nor can a host that is away.
    outside = {RELEASE, CERTIFICATE, *(host_name(host.name) for host in settings.hosts)}
    data = {DATABASE, REDIS, VECTOR_STORE, names.get(LLM, LLM), names.get(EMBEDDING, EMBEDDING)}
    relies_on: dict[str, set[str]] = {VECTOR_STORE: store}
    relies_on |= dict.fromkeys(settings.services, data | outside)
    relies_on[checks.agents_service] = data | outside | {checks.ingest_service}
    return Relations(names=names, relies_on={name: frozenset(below) for name, below in relies_on.items()})


def diagnose(results: Sequence[CheckResult], known: Relations) -> list[CheckResult]:
    """Return the results with one name per dependency; a failure names what is at fault, or what it follows from."""
    named = [
        replace(result, dependencies=tuple(dict.fromkeys(map(known.name, result.dependencies)))) for result in results
    ]
    failing = frozenset(name for result in named if not result.passed for name in result.dependencies)
    roots = {name: known.roots(name, failing) for name in failing}
    return [_explained(result, roots) for result in named]


def _explained(result: CheckResult, roots: Mapping[str, frozenset[str]]) -> CheckResult:
    """Return a failure that names only what fails by itself; without any such, what it follows from."""
    if result.passed:
        return result
    alone = tuple(name for name in result.dependencies if not roots[name])
    if alone:
        return replace(result, dependencies=alone)
    return replace(result, follows_from=tuple(sorted(frozenset().union(*map(roots.__getitem__, result.dependencies)))))


def at_fault(results: Sequence[CheckResult]) -> list[str]:
    """Return the dependencies at fault, those that fail a release first."""
    failed = sorted((r for r in results if not r.passed), key=lambda r: not r.fails_release)
    return list(dict.fromkeys(name for r in failed if not r.follows_from for name in r.dependencies))
