"""What the gate is made of: the scan of one image, and the clearance of one release for one run.

What judges is loaded when there is something to judge: most updates of a day change nothing, and the engine waits for
this module in each of them.
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.components.dynamic import is_same_run, load_ahead, show, show_errors_once
from infra.domain.numbers import whole_numbers
from infra.domain.recorded_gate import summary
from infra.domain.text_form import from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

SCAN_KEYS = ("image", "policy", "accept_risk")
RECENT_SCANS = 5


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
        from infra.components.notifications import failure_announced  # noqa: PLC0415 - see above

        show_errors_once()
        with failure_announced(props):
            return {**props, **self.judge({key: value for key, value in props.items() if not key.startswith("__")})}


class ScanProvider(JudgingProvider):
    """Scans one image."""

    def judge(self, props: dict[str, Any]) -> dict[str, Any]:
        """Return the report."""
        from infra.checks.scan import scan_or_recall  # noqa: PLC0415 - see above

        return {"report": scan_or_recall(props, show)}

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
        """Return the signed clearance and the gate's record; a release that is cleared is rolled out next."""
        from infra.checks.clearance import clear_release  # noqa: PLC0415 - see above

        load_ahead("infra.rollout.driver")
        return clear_release(props, show)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Clear a release of a stack whose hosts are known, and connect to them beside what the engine does next."""
        from infra.rollout.context import connect_ahead  # noqa: PLC0415 - see above

        cleared = super().update(_id, _olds, _news)
        connect_ahead(_news)
        return cleared

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Clear again for another release or another run."""
        return DiffResult(changes=not is_same_run(_olds, _news))


class Scan(Resource, name="Scan", module="acp"):
    """One image scanned by digest from the registry, and judged."""

    report: pulumi.Output[Mapping[str, Any]]

    provider: ClassVar[ResourceProvider] = ScanProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the scan of `props["image"]`."""
        super().__init__(self.provider, name, {**props, "report": None, "recent": None}, opts)


class Clearance(Resource, name="Clearance", module="acp"):
    """One release that may go to the hosts: all scans passed, all signatures count, itself signed."""

    release: pulumi.Output[str]
    run_id: pulumi.Output[str]
    clearance: pulumi.Output[Mapping[str, Any] | None]
    record: pulumi.Output[Mapping[str, Any]]

    provider: ClassVar[ResourceProvider] = ClearanceProvider()

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the clearance of one release and run."""
        super().__init__(self.provider, name, {**props, "clearance": None, "record": None}, opts)
