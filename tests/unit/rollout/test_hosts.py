from __future__ import annotations

from typing import Any

import pytest

from infra.errors import CandidateError, HostError, HostUnreachableError
from tests.support.fake_hostctl import make_stage


def test_every_host_gets_its_own_lease() -> None:
    """The same request goes to all hosts, each with the lease held there."""
    stage = make_stage()
    stage.context.group.call("commit", timeout_seconds=1, release="v1-0")
    assert [call.request for call in stage.journal.of("commit")] == [
        {"release": "v1-0", "lease": {"holder": "run-1", "fence": 7}}
    ] * 2


def test_one_error_is_raised_as_it_is() -> None:
    """The only failing host's error keeps its class and parts."""
    stage = make_stage()
    error = CandidateError("h2: crash loop")
    stage.answer("start", error, host="h2")
    with pytest.raises(CandidateError) as caught:
        stage.context.group.call("start", timeout_seconds=1)
    assert caught.value is error


def test_several_errors_are_one_that_names_all() -> None:
    """When more hosts fail, all are in one error, and equal mends are said once."""
    stage = make_stage()
    for host in ("h1", "h2"):
        stage.answer("start", HostUnreachableError(f"{host} is gone", mend="is it up?"), host=host)
    with pytest.raises(HostError) as caught:
        stage.context.group.call("start", timeout_seconds=1)
    assert caught.value.what == "h1 is gone\nh2 is gone"
    assert caught.value.where == "hosts h1, h2"
    assert caught.value.mend == "is it up?"


def test_an_attempt_returns_results_and_errors() -> None:
    """Where no error may stop the others, both are returned by host."""
    stage = make_stage()
    error = HostError("no")
    stage.answer("park", error, host="h1")
    results, errors = stage.context.group.attempt(lambda client: client.call("park", timeout_seconds=1))
    assert list(results) == ["h2"]
    assert errors == {"h1": error}


def test_all_hosts_are_asked_even_when_one_fails() -> None:
    """No host is left out because another one failed."""
    stage = make_stage()
    stage.answer("cutover", HostError("no"), host="h1")
    with pytest.raises(HostError):
        stage.context.group.call("cutover", timeout_seconds=1)
    assert len(stage.journal.of("cutover")) == 2


@pytest.mark.parametrize(("names", "told"), [({"h2"}, ["h2"]), ((), []), ({"h1": 1, "h2": 2}, ["h1", "h2"])])
def test_a_part_of_the_group_is_a_group(names: Any, told: list[str]) -> None:
    """Only the named hosts are told; nobody is a group, too."""
    stage = make_stage()
    assert list(stage.context.group.only(names).call("cutover", timeout_seconds=1)) == told
