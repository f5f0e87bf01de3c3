from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from infra.domain.regression import Judgement, Verdict
from infra.errors import CheckError
from infra.rollout import regression
from infra.rollout.regression import compare_releases, require_as_good
from tests.support.fake_hostctl import SECRETS, make_stage
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.adapters.hostctl import HostctlClient
    from infra.checks.regression import Comparison
    from infra.settings.model import Settings

CANDIDATE = {"acp-ingest": 18000, "acp-agents": 18001}
CURRENT = {"acp-ingest": 18002, "acp-agents": 18003}
BOTH = {"verify": CANDIDATE, "verify_current": CURRENT}
JOB = "/api/v1/jobs/00000000-0000-4000-8000-000000000000"


class Measuring:
    """Stands for tunnels and measurements: what was compared, and the verdict to give on each service."""

    def __init__(self) -> None:
        """Find everything fine until told otherwise."""
        self.verdicts: dict[str, Verdict] = {}
        self.compared: list[Comparison] = []

    @contextlib.contextmanager
    def forwarded(self, client: HostctlClient, ports: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """Give each remote port a local one, 20,000 higher."""
        yield {name: port + 20_000 for name, port in ports.items()}

    def compare(self, comparisons: Sequence[Comparison], settings: Any) -> list[Judgement]:
        """Give the verdicts."""
        self.compared += comparisons
        return [
            Judgement(
                service=one.request.service,
                request=str(one.request),
                verdict=self.verdicts.get(one.request.service, Verdict.FINE),
                reason="as told",
                pairs=20,
                confidence=settings.confidence,
            )
            for one in comparisons
        ]


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    """Replace the network."""
    fake = Measuring()
    monkeypatch.setattr(regression, "forwarded", fake.forwarded)
    monkeypatch.setattr(regression, "compare", fake.compare)
    return fake


def stack(**changes: Any) -> Settings:
    """Return the test stack with these settings of the comparison."""
    secrets = {"prefix": "LOCAL_", "names": list(SECRETS)}
    return make_settings(secrets=secrets, load={"regression": changes})


def judge(
    shown: list[str], answers: Mapping[str, Mapping[str, Any]] | None = None, **changes: Any
) -> list[dict[str, Any]]:
    """Judge two hosts that answered `start` like this; both have both releases unless told otherwise."""
    context = make_stage(stack(**changes)).context
    verdicts = compare_releases(context, answers or {"h1": BOTH, "h2": BOTH}, shown.append)
    require_as_good(context, verdicts)
    return [verdict.to_json() for verdict in verdicts]


def test_both_releases_are_asked_on_every_host(measuring: Measuring, shown: list[str]) -> None:
    """Each request goes through the tunnel to the two loopback ports of its service, on all hosts."""
    found = judge(shown)
    ways = {str(one.request): [(way.candidate_url, way.current_url) for way in one.ways] for one in measuring.compared}
    ingest, agents = ("http://127.0.0.1:38000", "http://127.0.0.1:38002"), ("http://127.0.0.1:38001",
                                                                           "http://127.0.0.1:38003")  # fmt: skip
    assert ways == {"POST /api/v1/search": [ingest] * 2, f"GET {JOB}": [agents] * 2}
    assert [verdict["verdict"] for verdict in found] == ["fine", "fine"]
    assert shown == ["  fine: acp-ingest POST /api/v1/search: as told", f"  fine: acp-agents GET {JOB}: as told"]


def test_a_worse_candidate_fails_with_the_request_and_the_reason(measuring: Measuring, shown: list[str]) -> None:
    """One request that got worse is enough, and only that one is named."""
    measuring.verdicts = {"acp-agents": Verdict.WORSE}
    with pytest.raises(CheckError) as caught:
        judge(shown)
    assert caught.value.what.splitlines()[1:] == [f"    worse: acp-agents GET {JOB}: as told"]


def test_what_cannot_be_told_is_said_and_fails_only_where_the_stack_says_so(
    measuring: Measuring, shown: list[str]
) -> None:
    """No verdict is no failure, unless the setting makes it one."""
    measuring.verdicts = {"acp-ingest": Verdict.UNKNOWN}
    assert [verdict["verdict"] for verdict in judge(shown)] == ["cannot tell", "fine"]
    assert shown[0].startswith("  cannot tell: acp-ingest")
    with pytest.raises(CheckError, match="cannot tell"):
        judge(shown, fail_when_unknown=True)


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        pytest.param({"h1": {"verify": CANDIDATE, "verify_current": {}}}, {}, id="no release before"),
        pytest.param({"h1": {"verify": CANDIDATE}}, {}, id="a host that says nothing of it"),
        pytest.param({"h1": BOTH}, {"enabled": False}, id="switched off"),
    ],
)
def test_without_anything_to_compare_there_is_no_verdict(
    measuring: Measuring, shown: list[str], answers: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A first release, and a stack that wants no comparison, measure nothing."""
    assert judge(shown, answers, **changes) == []
    assert measuring.compared == []


def test_a_service_that_only_one_release_has_is_left_out(measuring: Measuring, shown: list[str]) -> None:
    """New services, and those for which the host has no port left, are not compared."""
    judge(shown, {"h1": {"verify": CANDIDATE, "verify_current": {"acp-agents": 18003, "acp-old": 18004}}})
    assert [str(one.request) for one in measuring.compared] == [f"GET {JOB}"]
