"""`rollback --if-needed` waits for hosts that go back by themselves, and rolls back what stands."""

from __future__ import annotations

from typing import Any

import pytest

from infra.cli import rollback_need
from infra.domain.rollback_need import Need
from tests.unit.cli.invoke import call


class TestIfNeeded:
    """`rollback --if-needed` waits for hosts that go back by themselves, and rolls back what stands."""

    @pytest.fixture
    def hosts(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        """Return what the host says at each look; the last answer stays."""
        answers: list[dict[str, Any]] = []
        monkeypatch.setattr(
            rollback_need, "stack_outputs", lambda stack: {"release_entry": {"release": "v1-a", "run_id": "x"}}
        )

        def look(stack: str) -> dict[str, Any]:
            return {"hosts": [answers.pop(0) if len(answers) > 1 else answers[0]]}

        monkeypatch.setattr(rollback_need, "read_status", look)
        return answers

    def test_a_host_that_reverts_is_waited_for(self, hosts: list[dict[str, Any]]) -> None:
        """A trial that ends by itself leaves nothing to do, and that is said."""
        hosts += [
            {"host": "h1", "serving": "v1-a", "candidate": "v2-b"},
            {"host": "h1", "serving": "v1-a", "candidate": None},
        ]
        pauses: list[float] = []
        need = rollback_need.await_need("staging", sleep=pauses.append)
        assert need == Need(action="nothing", why="every host serves v1-a, as recorded")
        assert len(pauses) == 1

    def test_a_host_that_stays_elsewhere_is_an_error(self, hosts: list[dict[str, Any]]) -> None:
        """After its deadline a host that serves nothing is reported with the reason."""
        hosts.append({"host": "h1", "serving": None, "candidate": None})
        moments = iter([0.0, 1.0, 10_000.0])
        with pytest.raises(Exception, match="h1 serves nothing, the record says v1-a"):
            rollback_need.await_need("staging", sleep=lambda seconds: None, now=lambda: next(moments))

    def test_a_committed_release_is_left_to_be_recorded(self, hosts: list[dict[str, Any]]) -> None:
        """An update that failed after its commit, for lost requests as an example, leaves it serving: no wait."""
        hosts.append({"host": "h1", "serving": "v2-b", "candidate": None})
        done = call("rollback", "--stack", "staging", "--if-needed", "--yes")
        assert done.exit_code == 0
        assert "every host serves v2-b, verified and committed, and the record still says v1-a" in done.output
        assert "`acp-release status --stack staging` says what records it" in done.output

    def test_nothing_to_do_is_said(self, hosts: list[dict[str, Any]]) -> None:
        """The command ends well and says why it did nothing."""
        hosts.append({"host": "h1", "serving": "v1-a", "candidate": None})
        done = call("rollback", "--stack", "staging", "--if-needed", "--yes")
        assert (done.exit_code, done.output) == (0, "nothing to roll back: every host serves v1-a, as recorded\n")
