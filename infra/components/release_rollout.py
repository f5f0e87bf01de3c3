"""The rollout as Pulumi resources: a preflight that takes the leases, and the driver behind all candidates.

The program that declares them, and an update without a release, load nothing of the work itself: it takes a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import Resource

from infra.components.dynamic import KeyedProvider, require_same_run, show
from infra.domain.text_form import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi


class PreflightProvider(KeyedProvider):
    """Runs the preflight."""

    def perform(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the leases by host, and what was at fault before; a release that was not cleared gets none."""
        from infra.components.notifications import announce_start, failure_announced  # noqa: PLC0415 - see above
        from infra.rollout.preflight import run_preflight  # noqa: PLC0415

        with failure_announced(props):
            require_same_run(props["cleared"], props, done="the gate cleared")
            announce_start(props)
            return run_preflight(props, show)


class RolloutProvider(KeyedProvider):
    """Runs the driver."""

    def perform(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return what the rollout saw."""
        from infra.components.notifications import announce_success, failure_announced  # noqa: PLC0415 - see above
        from infra.rollout.driver import run_rollout  # noqa: PLC0415

        with failure_announced(props):
            require_same_run(props["prepared"], props, done="the preflight was of")
            report = run_rollout(props, show)
        announce_success(props, report)
        return {"report": to_text(report)}


class Preflight(Resource, name="Preflight", module="acp"):
    """Every host checked and its lease taken, before anything on it changes."""

    release: pulumi.Output[str]
    run_id: pulumi.Output[str]
    leases: pulumi.Output[Mapping[str, Any]]
    before: pulumi.Output[Sequence[str]]

    provider: ClassVar[KeyedProvider] = PreflightProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the preflight of one release and run."""
        super().__init__(self.provider, name, {**props, "leases": None, "before": None}, opts)


class Rollout(Resource, name="Rollout", module="acp"):
    """One release moved, judged and committed on all hosts, or reverted."""

    release: pulumi.Output[str]
    run_id: pulumi.Output[str]
    report: pulumi.Output[Any]  # a text; a document in the state of an earlier version: see ReleaseRecord

    provider: ClassVar[KeyedProvider] = RolloutProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the rollout of one release and run."""
        super().__init__(self.provider, name, {**props, "report": None}, opts)
