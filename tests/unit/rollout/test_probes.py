from __future__ import annotations

import pytest

from infra.rollout.probes import ask_publicly
from tests.support.fake_hostctl import SECRETS, Stage, make_stage
from tests.support.settings import HOST_KEY, make_settings
from tests.support.web import Reply, serving


def stage_at(*ports: int) -> Stage:
    """Return a rollout over hosts whose public ports are these loopback ports."""
    hosts = [
        {"name": f"h{number}", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {8000: port}}
        for number, port in enumerate(ports, 1)
    ]
    return make_stage(make_settings(hosts=hosts, secrets={"names": list(SECRETS)}))


def test_every_host_is_asked_in_turn() -> None:
    """The public address of a service is asked for its health, on all hosts equally often."""
    with serving(lambda _path: Reply(body={})) as first, serving(lambda _path: Reply(body={})) as second:
        ask_publicly(stage_at(first.port, second.port).context, "acp-ingest", 6)
    assert [path for path, _ in first.asked] == [path for path, _ in second.asked] == ["/health"] * 3


@pytest.mark.parametrize("reply", [Reply(body={}, status=500), None], ids=["failed", "dropped"])
def test_a_bad_answer_does_not_end_it(reply: Reply | None) -> None:
    """Whatever comes back, all questions are asked: the edge counts who failed."""
    with serving(lambda _path: reply) as server:
        ask_publicly(stage_at(server.port).context, "acp-ingest", 3)
    assert len(server.asked) == 3
