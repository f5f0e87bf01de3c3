"""The audit chain's head goes with each commit: to the hosts, and through the rollout's report into the record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.adapters.origin import read_origin
from infra.audit.anchoring import anchor_release
from infra.domain.anchor import Anchor
from infra.domain.ledger import kind_of
from infra.errors import ReleaseError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.rollout.context import RolloutContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """The anchor of one rollout; without one, the reason why there is none."""

    anchor: Anchor | None = None
    problem: str = ""

    def request(self) -> dict[str, Any]:
        """Return what a commit is told."""
        return {"anchor": self.anchor.request()} if self.anchor else {}

    def report(self, committed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Return what is recorded, with the place in each host's journal behind the commit."""
        if self.anchor is None:
            return {"problem": self.problem} if self.problem else {}
        places = {name: answer["journal"] for name, answer in committed.items() if answer.get("journal")}
        return {**self.anchor.to_json(), "hosts": places}


def begin_anchoring(context: RolloutContext, show: Callable[[str], None]) -> Anchoring:
    """Return the anchor of a rollout; a history that cannot be read stops no release, but is said and recorded.

    A run that is recorded already, and goes to a host that was emptied since, keeps the anchor that is in the record.
    """
    recorded = Anchor.from_entry({"release": context.release, "audit": context.audit})
    if recorded is not None and recorded.run_id == context.run_id:
        return Anchoring(anchor=recorded)
    intent = {
        "release": context.release,
        "run_id": context.run_id,
        "kind": kind_of(context.settings),
        "who": read_origin(os.environ, PROJECT_ROOT, "").who,
        "spec": context.spec,
    }
    try:
        return Anchoring(anchor=anchor_release(context.settings.stack, context.audit, intent, os.environ))
    except ReleaseError as error:
        show(f"warning: the audit chain is not anchored by this release: {error.what}")
        return Anchoring(anchor=None, problem=error.what)
