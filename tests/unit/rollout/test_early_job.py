from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.result import CheckResult
from infra.errors import CandidateError, HostError
from infra.rollout import verification
from tests.support.fake_hostctl import Stage, make_stage
from tests.unit.rollout.rollouts import failure, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.checks.subject import Subject
    from tests.unit.rollout.conftest import Probes

JOBS = {"h1": "early-1", "h2": "early-2"}


class Agents:
    """Stands for the agents over the network: what they were given, and what was taken back."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.taken_back: list[dict[str, str]] = []
        self.trouble: Exception | None = None

    def hand_in(self, subject: Subject) -> dict[str, str]:
        """Take a job from every host of the subject."""
        if self.trouble is not None:
            raise self.trouble
        self.asked.append([client.host.name for client in subject.hosts])
        return {client.host.name: JOBS[client.host.name] for client in subject.hosts}

    def take_back(self, subject: Subject, jobs: Mapping[str, str]) -> list[CheckResult]:
        """Give the jobs back through the public address, where one stays behind."""
        assert subject.release is None
        self.taken_back.append(dict(jobs))
        return [
            CheckResult(
                check="cleanup", target="acp-agents on h1", passed=False, asked="DELETE", came="it stays behind",
                seconds=0.1, severity="warning",
            )
        ]  # fmt: skip


@pytest.fixture
def agents(probes: Probes, monkeypatch: pytest.MonkeyPatch) -> Agents:
    """Replace the agents."""
    fake = Agents()
    monkeypatch.setattr(verification, "hand_in_jobs", fake.hand_in)
    monkeypatch.setattr(verification, "take_back_jobs", fake.take_back)
    return fake


def answering_stage(*hosts: str, then: Any = None) -> Stage:
    """Return a rollout in which candidates on `hosts` stop where they answer; `then` is what h2 says of the rest."""
    stage = make_stage()
    for name in hosts:
        ready = stage.answers[name]["start"]

        def answer(request: dict[str, Any], name: str = name, ready: dict[str, Any] = ready) -> Any:
            if request["until"] == "answering":
                return {**ready, "phase": "answering"}
            return then if then is not None and name == "h2" else ready

        stage.answer("start", answer, host=name)
    return stage


def test_the_agents_work_while_the_candidates_prove_themselves(
    probes: Probes, agents: Agents, shown: list[str]
) -> None:
    """The job that every host's agents were given is what the smoke test follows."""
    stage = answering_stage("h1", "h2")
    run(stage, shown)
    assert [call.request["until"] for call in stage.journal.of("start")] == ["answering", "ready"] * 2
    assert agents.asked == [["h1", "h2"]]
    alone, public = probes.subjects
    assert (alone.handed_in, public.handed_in) == (JOBS, {})
    assert agents.taken_back == []


def test_a_host_that_is_ready_at_once_is_not_asked(probes: Probes, agents: Agents, shown: list[str]) -> None:
    """It has kept the release, or a run before this one brought it there."""
    run(answering_stage("h2"), shown)
    assert agents.asked == [["h2"]]
    assert probes.subjects[0].handed_in == {"h2": JOBS["h2"]}


def test_a_candidate_that_does_not_get_ready_leaves_no_job(probes: Probes, agents: Agents, shown: list[str]) -> None:
    """It is gone: the release before takes the job away, and what stays behind is said."""
    error = failure(answering_stage("h1", "h2", then=CandidateError("h2: not ready")), shown)
    assert "h2: not ready" in error.what
    assert agents.taken_back == [JOBS]
    assert "it stays behind" in error.what


@pytest.mark.parametrize("trouble", [HostError("no tunnel"), OSError("no port")])
def test_a_job_that_cannot_be_handed_in_decides_nothing(
    probes: Probes, agents: Agents, shown: list[str], trouble: Exception
) -> None:
    """The smoke test hands in its own."""
    agents.trouble = trouble
    run(answering_stage("h1", "h2"), shown)
    assert probes.subjects[0].handed_in == {}
