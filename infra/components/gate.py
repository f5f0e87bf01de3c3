"""The gate as Pulumi resources: a scan per image, and a clearance of the whole release, before any host."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.adapters.trivy import Login
from infra.checks.clearance import clear_release
from infra.checks.gate import ScanRequest, policy_hash, scan_image, summary
from infra.checks.offline import registry_is_silent
from infra.components.dynamic import KEYS, show
from infra.components.notifications import failure_announced
from infra.domain.numbers import whole_numbers
from infra.domain.text_form import from_text, to_text
from infra.paths import PROJECT_ROOT
from infra.settings.load import settings_of
from infra.settings.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.release import RecordedGate
    from infra.settings.model import Settings
    from infra.sources import Source

SCAN_KEYS = ("image", "policy", "accept_risk")
RECENT_SCANS = 5
PROMOTED = ("version", "images")
"""What the clearance of a promoted tag needs of each release of the stack before."""


class JudgingProvider(ResourceProvider):
    """Judges in place: a judgement that fails leaves the old inputs in the state, so the next update makes it again."""

    serialize_as_secret_always = False

    @abstractmethod
    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Do the work and return the outputs; raise a `ReleaseError` to fail the update."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Judge for the first time."""
        return CreateResult(id_=str(props["name"]), outs=self._outputs(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Judge again."""
        return UpdateResult(outs=self._outputs(_news))

    def _outputs(self, props: dict[str, Any]) -> dict[str, Any]:
        # The engine shows the error's message; gRPC's own log would add a traceback to it.
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
        with failure_announced(props):
            return {**props, **self.judge({key: value for key, value in props.items() if not key.startswith("__")})}


class ScanProvider(JudgingProvider):
    """Scans one image."""

    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the report."""
        settings = settings_of(props)
        secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
        known = props.get("recorded")
        if known and registry_is_silent(settings, secrets):
            show(f"gate: {known['name']} was scanned at {known['scanned_at']}, and the registry does not answer now")
            return {"report": known}
        own = props["image"].startswith(f"{settings.registry.server}/")
        username, password = (settings.registry.username, secrets["REGISTRY_PASSWORD"]) if own else ("", "")
        request = ScanRequest(
            name=props["name"],
            image=props["image"],
            settings=settings,
            login=Login(username=username, password=password),
            accept_risk=props["accept_risk"],
        )
        return {"report": scan_image(request, show)}

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Judge again, unless the same image was judged by the same policy not long ago, as before a rollback."""
        kept = _olds.get("recent")
        recent = [scan for scan in (kept if isinstance(kept, list) else []) if not _aged(scan["report"], _news)]
        known = next((scan["report"] for scan in recent if scan["key"] == _key_of(_news)), None)
        outputs = {**_news, "report": known} if known else self._outputs(_news)
        if known:
            show(f"gate: {known['name']} was scanned at {known['scanned_at']}: {summary(whole_numbers(known))}")
        others = [scan for scan in recent if scan["key"] != _key_of(_news)]
        return UpdateResult(outs={**outputs, "recent": [_remembered(outputs), *others][:RECENT_SCANS]})

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Judge for the first time."""
        outputs = self._outputs(props)
        return CreateResult(id_=str(props["name"]), outs={**outputs, "recent": [_remembered(outputs)]})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Scan again when the image or the policy is another, or what was known then is too old by now."""
        changed = any(_olds.get(key) != _news.get(key) for key in SCAN_KEYS)
        return DiffResult(changes=changed or _aged(_olds.get("report") or {}, _news))


def _key_of(props: Mapping[str, Any]) -> str:
    """Return what a scan is remembered by."""
    return " ".join(str(props[key]) for key in SCAN_KEYS)


def _remembered(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scan as the state keeps it, in a list: the engine does not keep the order of a mapping."""
    return {"key": _key_of(outputs), "report": outputs["report"]}


def _aged(report: Mapping[str, Any], props: Mapping[str, Any]) -> bool:
    return too_old(report, from_text(props["settings"]), datetime.now(UTC))


def too_old(report: Mapping[str, Any], settings: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a recorded scan, or the database it was made with, is older than the stack allows."""
    gate = settings.get("gate") if isinstance(settings, dict) else None
    if not report or not gate:
        return True
    limits = {
        "scanned_at": gate["rescan_after_seconds"],
        "database_updated_at": gate["max_database_age_seconds"],
    }
    return any((now - datetime.fromisoformat(report[key])).total_seconds() > limit for key, limit in limits.items())


class ClearanceProvider(JudgingProvider):
    """Clears one release for one run."""

    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the signed clearance and the gate's record."""
        return clear_release(props, show)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Clear again for another release or another run."""
        return DiffResult(changes=any(_olds.get(key) != _news.get(key) for key in KEYS))


class Scan(Resource, name="Scan", module="acp"):
    """One image scanned by digest from the registry, and judged."""

    report: pulumi.Output[Mapping[str, Any]]

    provider: ClassVar[ResourceProvider] = ScanProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the scan of `props["image"]`."""
        super().__init__(self.provider, name, {**props, "report": None, "recent": None}, opts)


class Clearance(Resource, name="Clearance", module="acp"):
    """One release that may go to the hosts: all scans passed, all signatures count, itself signed."""

    clearance: pulumi.Output[Mapping[str, Any] | None]
    record: pulumi.Output[Mapping[str, Any]]

    provider: ClassVar[ResourceProvider] = ClearanceProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the clearance of one release and run."""
        super().__init__(self.provider, name, {**props, "clearance": None, "record": None}, opts)


class Gate(pulumi.ComponentResource):
    """Everything between the registry and the hosts; what depends on it waits for the whole verdict."""

    clearance: pulumi.Output[Mapping[str, Any] | None]
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
            for image in settings.images
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
        self.record = verdict.record
        self.register_outputs({"record": self.record})
