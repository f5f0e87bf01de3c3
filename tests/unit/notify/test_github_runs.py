from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.notify.github import Repository
from tests.support.notices import make_notice

if TYPE_CHECKING:
    import pytest


def test_an_update_goes_on_with_the_deployment_that_its_ci_run_waited_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workflow knows the CI run alone; a second update in it has a deployment of its own."""
    monkeypatch.setattr(Repository, "_state", lambda *_: "queued")
    client: Any = None
    repository = Repository(client=client, address="", token="", redacted=str)
    for payload, expected in (("ci-7-1", 3), ("ci-7-1-b", None)):
        listed = [{"id": 3, "payload": {"run_id": payload, "release": ""}}]
        found = repository._find(listed, make_notice(event="started", run_id="ci-7-1-a"), "in_progress")
        assert found == expected
