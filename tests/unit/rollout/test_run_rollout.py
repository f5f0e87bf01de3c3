from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from infra.rollout import driver

if TYPE_CHECKING:
    from collections.abc import Mapping

OLD_LEASES = {"h1": {"holder": "run-1", "fence": 3}}
NEW_LEASES = {"h1": {"holder": "run-1", "fence": 7}}


class Context:
    """What the driver opens: only the run and what it was given."""

    run_id = "run-1"

    def __init__(self, props: Mapping[str, Any]) -> None:
        """Remember the inputs."""
        self.props = props


class Run:
    """A rollout that reports the inputs it was given."""

    def __init__(self, context: Context, _show: Any) -> None:
        """Remember the context."""
        self._context = context

    def run(self) -> dict[str, Any]:
        """Return them."""
        return dict(self._context.props)


@pytest.mark.parametrize(
    ("is_kept", "leases", "before"), [(True, OLD_LEASES, ["old"]), (False, NEW_LEASES, ["new"])], ids=["kept", "gone"]
)
def test_a_rollout_without_its_preflight_makes_one(
    monkeypatch: pytest.MonkeyPatch, is_kept: bool, leases: dict[str, Any], before: list[str]
) -> None:
    """The leases of a preflight in an earlier update were given back: `--replace` of the rollout takes new ones."""
    taken: list[str] = []
    monkeypatch.setattr(driver, "are_kept", lambda run_id: is_kept and run_id == "run-1")
    monkeypatch.setattr(driver, "run_preflight", lambda _props, _show: {"leases": NEW_LEASES, "before": ["new"]})
    monkeypatch.setattr(driver, "open_context", Context)
    monkeypatch.setattr(driver, "sharing_connections", contextlib.nullcontext)
    monkeypatch.setattr(driver, "take_over_leases", lambda run_id, *, waits: taken.append(f"{run_id} {waits}"))
    monkeypatch.setattr(driver, "Rollout", Run)
    props = {"run_id": "run-1", "leases": OLD_LEASES, "before": ["old"]}
    assert driver.run_rollout(props, lambda _line: None) == {**props, "leases": leases, "before": before}
    assert taken == ["run-1 False"]
