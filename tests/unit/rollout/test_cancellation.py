from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from infra.components.dynamic import hear_cancel
from infra.errors import RolloutError
from infra.rollout import cancellation
from tests.support.fake_hostctl import make_stage
from tests.unit.rollout.rollouts import canary_stage, failure, run

if TYPE_CHECKING:
    from tests.unit.rollout.conftest import Probes


@pytest.fixture(autouse=True)
def _wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an update that nobody has cancelled."""
    monkeypatch.setattr(cancellation, "_cancelled", type(cancellation._cancelled)())


def _cancelling(answer: Any) -> Any:
    """Return an answer of a host that comes while the update is cancelled."""

    def told(_request: Any) -> Any:
        cancellation.cancel()
        return answer

    return told


@pytest.mark.usefixtures("probes")
class TestCancelledRollout:
    """Somebody presses Ctrl-C."""

    def test_a_canary_goes_no_step_further(self, shown: list[str]) -> None:
        """The bake ends at once, and all hosts go back."""
        stage = canary_stage()
        stage.answer("shift", _cancelling({"phase": "shift"}))
        assert "the update was cancelled" in failure(stage, shown).what
        assert len(stage.journal.of("shift")) == 2
        assert stage.journal.of("cutover") == []
        assert len(stage.journal.of("revert")) == 2

    def test_nothing_is_committed(self, shown: list[str]) -> None:
        """Up to the commit there is a way back, and it is taken."""
        stage = make_stage()
        stage.answer("cutover", _cancelling({"phase": "cutover"}))
        assert "the update was cancelled" in failure(stage, shown).what
        assert stage.journal.of("commit") == []

    def test_a_committed_release_is_ended_well(self, shown: list[str]) -> None:
        """Once it is committed it serves, and the release before is drained as ever."""
        stage = make_stage()
        stage.answer("commit", _cancelling({"phase": "committed", "previous": None}))
        run(stage, shown)
        assert stage.journal.of("revert") == []
        assert len(stage.journal.of("park")) == 2


def test_the_engines_cancel_is_heard(monkeypatch: pytest.MonkeyPatch, probes: Probes) -> None:
    """A method that was bound before, as gRPC does, tells the rollout of the same process."""

    class Servicer:
        """Stands for the SDK's, whose answer is all it does."""

        def Cancel(self, request: object, context: object) -> object:  # noqa: N802 - its name
            return None

    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(DynamicResourceProviderServicer=Servicer))
    bound = Servicer().Cancel
    hear_cancel()
    assert bound(None, None) is not None
    with pytest.raises(RolloutError, match="the update was cancelled"):
        cancellation.require_wanted()


def test_where_there_is_no_provider_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests and commands have another main module."""
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    hear_cancel()
