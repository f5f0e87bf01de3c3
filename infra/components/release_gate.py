"""The gate: a scan per image, and a clearance of the whole release, before any host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.checks.gate import policy_hash
from infra.components.dynamic import run_of
from infra.components.gate import Clearance, Scan
from infra.domain.text_form import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.release import RecordedGate
    from infra.settings.model import Settings
    from infra.sources import Source

PROMOTED = ("version", "images")
"""What the clearance of a promoted tag needs of each release of the stack before."""


class Gate(pulumi.ComponentResource):
    """Everything between the registry and the hosts; what depends on it waits for the whole verdict."""

    clearance: pulumi.Output[Mapping[str, Any] | None]
    cleared: Mapping[str, pulumi.Output[str]]
    """Release and run that the verdict is about."""
    record: pulumi.Output[Mapping[str, Any]]

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        source: Source,
        run_id: pulumi.Output[str],
        promoted_history: Sequence[Mapping[str, Any]],
        accept_risk: str,
        recorded: RecordedGate,
    ) -> None:
        """Declare a scan for each image that the stack runs, side by side, and the clearance behind them."""
        super().__init__("acp:gate:Gate", name, None, None)
        options = pulumi.ResourceOptions(parent=self)
        values = to_text(settings.model_dump(mode="json"))
        images = source.release.apply(lambda known: {ref.name: ref.pinned for ref in known.images})
        own: dict[str, pulumi.Output[str]] = {
            image: images.apply(lambda pinned, image=image: pinned[image])  # type: ignore[misc]
            for image in source.versions
        }
        common = {"settings": values, "policy": policy_hash(settings)}
        scans = [
            Scan(
                f"{name}-{image}",
                {
                    **common,
                    "name": image,
                    "image": pinned,
                    "accept_risk": risk,
                    "recorded": pinned.apply(recorded.scan_of),
                },
                options,
            )
            for group, risk in ((own, accept_risk), (source.platform, ""))
            for image, pinned in group.items()
        ]
        verdict = Clearance(
            f"{name}-clearance",
            {
                "name": name,
                "release": source.release.apply(lambda known: known.id),
                "run_id": run_id,
                "settings": values,
                "spec": source.release.apply(lambda known: to_text(dict(known.spec))),
                "images": images,
                "reports": [scan.report for scan in scans],
                "built": not settings.image_tag and not settings.rollback_to,
                "commit": source.commit,
                "history": [{key: entry.get(key) for key in PROMOTED} for entry in promoted_history],
                "recorded": dict(recorded.release),
            },
            options,
        )
        self.clearance = verdict.clearance
        self.cleared = run_of(verdict)
        self.record = verdict.record
        self.register_outputs({"record": self.record})
