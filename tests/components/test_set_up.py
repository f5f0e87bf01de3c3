from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.components.host_agent import HOST_AGENT, SET_UP
from tests.components.conftest import SECRETS, stack_outputs_of

if TYPE_CHECKING:
    from tests.components.conftest import Stack
    from tests.support.pulumi_engine import Recording


def _agents(recording: Recording) -> dict[str, dict[str, object]]:
    """Return the outputs of the agents of all hosts, by URN."""
    return {urn: told for urn, told in recording.component_outputs.items() if f"::{HOST_AGENT}::" in urn}


def test_a_host_keeps_what_it_was_set_up_with(recording: Recording) -> None:
    """Ports of the edge and hashes of its data services are outputs of each agent; no secret is."""
    agents = _agents(recording)
    assert len(agents) == 2
    for told in agents.values():
        assert json.loads(str(told[SET_UP]))["edge"]["ports"] == [80, 8000, 8001]
        assert not any(value in str(told) for value in SECRETS.values())


def test_a_preview_says_what_requests_will_notice(stack: Stack, recording: Recording) -> None:
    """A moved port and a new password of a data service are said before anything is done, once for all hosts."""
    kept = {"stack_outputs": stack_outputs_of(recording), "left": _agents(recording)}
    assert stack.declare(preview=True, **kept).log == []

    log = stack.bent(edge={"http_port": 8080}).declare(preview=True, **kept).log
    assert log == [
        "h1, h2: the edge is made anew, and for some seconds nobody answers there: ports 80 8000 8001 → 8000 8001 8080"
    ]

    log = stack.declare(preview=True, secrets={"REDIS_URL": "redis://:another@redis:6379/0"}, **kept).log
    assert log[0] == "secret REDIS_URL changed"
    assert [line.partition(":")[0] for line in log[1:]] == ["h1, h2"]
    assert "redis made anew with other secrets than the serving release has" in log[1]
    assert "another" not in " ".join(log)


def test_of_a_state_that_does_not_say_it_nothing_is_said(stack: Stack, recording: Recording) -> None:
    """A stack of an earlier version of this program has no such output: what is not known is not compared."""
    log = stack.bent(edge={"http_port": 8080}).declare(preview=True, stack_outputs=stack_outputs_of(recording)).log
    assert log == []


def test_the_preflight_knows_that_the_data_services_refuse_what_serves(stack: Stack, recording: Recording) -> None:
    """A release with their new secrets is not refused for it; where they are managed elsewhere nothing is assumed."""
    kept = {"stack_outputs": stack_outputs_of(recording), "secrets": {"REDIS_URL": "redis://:another@redis:6379/0"}}
    assert stack.declare(**kept).named("preflight").inputs["core_changes"] is True
    assert "core_changes" not in stack.bent(core=None).declare(**kept).named("preflight").inputs
    assert "core_changes" not in recording.named("preflight").inputs
