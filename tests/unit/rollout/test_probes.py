from __future__ import annotations

import itertools

import pytest

from infra.rollout.probes import probe_samples
from tests.support.fake_hostctl import PREVIOUS, SECRETS, Stage, make_stage
from tests.support.settings import HOST_KEY, make_settings
from tests.support.web import Reply, serving


def stage_at(port: int) -> Stage:
    """Return a rollout over one host whose public port is this loopback port."""
    host = {"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {8000: port}}
    return make_stage(make_settings(hosts=[host], secrets={"names": list(SECRETS)}))


def test_the_release_header_tells_who_answered() -> None:
    """Answers are sorted by release, until the candidate has answered as often as a verdict needs."""
    turns = itertools.cycle([PREVIOUS, PREVIOUS, "candidate"])
    stage = stage_at(1)

    def answer(_path: str) -> Reply:
        release = next(turns).replace("candidate", stage.context.release)
        return Reply(body={}, status=500 if release == stage.context.release else 200,
                     headers={"X-ACP-Release": release})  # fmt: skip

    with serving(answer) as server:
        found = probe_samples(stage_at(server.port).context, "acp-ingest", 5)
        assert (found.candidate.requests, found.candidate.failures) == (5, 5)
        assert (found.current.requests, found.current.failures) == (10, 0)
        assert len(server.asked) == 15
        assert {path for path, _ in server.asked} == {"/health"}


@pytest.mark.parametrize("status", [200, 404, 429])
def test_an_answer_below_500_is_no_failure(status: int) -> None:
    """Client errors are the caller's, not the release's."""
    stage = stage_at(1)
    with serving(lambda _path: Reply(body={}, status=status, headers={"X-ACP-Release": stage.context.release})) as web:
        assert probe_samples(stage_at(web.port).context, "acp-ingest", 3).candidate.failures == 0


def test_no_answer_counts_against_the_candidate() -> None:
    """A connection that is dropped is a failure, and nobody else's."""
    with serving(lambda _path: None) as server:
        found = probe_samples(stage_at(server.port).context, "acp-ingest", 3)
    assert (found.candidate.requests, found.candidate.failures) == (3, 3)
    assert found.current.requests == 0


def test_asking_ends_when_the_candidate_never_answers() -> None:
    """A candidate that gets no request is given up after a hundred questions per wanted answer."""
    with serving(lambda _path: Reply(body={}, headers={"X-ACP-Release": PREVIOUS})) as server:
        found = probe_samples(stage_at(server.port).context, "acp-ingest", 1)
        assert len(server.asked) == 100
    assert found.candidate.requests == 0
