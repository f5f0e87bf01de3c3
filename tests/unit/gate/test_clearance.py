"""The gate on a whole release, without a registry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks import clearance as clearance_module
from infra.checks.clearance import clear_release
from infra.domain.text_form import to_text
from infra.domain.waivers import Waiver
from infra.errors import GateError
from tests.support.release import make_release
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER = f"registry.test:5000/acp/other@sha256:{'c' * 64}"


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the stack the secrets that it asks for, and a registry that answers."""
    for name in make_settings().secrets.required:
        monkeypatch.setenv(f"LOCAL_{name}", "s3cr3t")
    monkeypatch.setattr(clearance_module, "registry_is_silent", lambda *_: False)


def waive(monkeypatch: pytest.MonkeyPatch, *, days: int) -> dict[str, str]:
    """Let the stack have one waiver that ends `days` from today; return it as a scan's report names it."""
    ends = datetime.now(UTC).date() + timedelta(days=days)
    waiver = Waiver(id="CVE-1", package="openssl", owner="ann@example.test", reason="x", expires=ends)
    monkeypatch.setattr(clearance_module, "stack_waivers", lambda _: (waiver,))
    return {"id": waiver.id, "package": waiver.package}


def cleared(
    *,
    rollback_to: str | None = None,
    spec_images: list[str] | None = None,
    waivers: tuple[Mapping[str, str], ...] = (),
) -> dict[str, Any]:
    """Clear a release of a stack without signatures whose images all passed a scan, with these waivers."""
    settings = make_settings(rollback_to=rollback_to)
    release = make_release(settings)
    images = {ref.name: ref.pinned for ref in release.images}
    spec = {**release.spec, "images": spec_images if spec_images is not None else list(images.values())}
    scanned = {*images.values(), *spec["images"]}
    return clear_release(
        {
            "settings": to_text(settings.model_dump(mode="json")),
            "spec": to_text(spec),
            "run_id": "run-1",
            "images": images,
            "reports": [{"image": image, "passed": True, "waivers": list(waivers)} for image in sorted(scanned)],
            "built": False,
            "commit": "",
            "history": [],
            "recorded": {"signed_by": None} if settings.rollback_to else {},
        },
        lambda _: None,
    )


@pytest.mark.parametrize("rollback_to", [None, "v1-0"])
def test_what_hosts_pull_is_what_signatures_are_asked_of(rollback_to: str | None) -> None:
    """A release document with another image than the release has, or without one of its images, is refused."""
    own = [ref.pinned for ref in make_release().images]
    assert cleared(rollback_to=rollback_to)["record"]["scans"]
    with pytest.raises(GateError, match="is in the release document and no image of the release") as caught:
        cleared(spec_images=[*own, OTHER], rollback_to=rollback_to)
    assert OTHER in caught.value.what
    with pytest.raises(GateError, match="is an image of the release and not in its document"):
        cleared(spec_images=own[:1], rollback_to=rollback_to)


@pytest.mark.parametrize("rollback_to", [None, "v1-0"])
def test_a_waiver_that_expired_since_the_scan_blocks(monkeypatch: pytest.MonkeyPatch, rollback_to: str | None) -> None:
    """The scan may be of yesterday, when the waiver still counted; on its last day it does."""
    assert cleared(waivers=(waive(monkeypatch, days=0),), rollback_to=rollback_to)["record"]["scans"]
    with pytest.raises(GateError, match="waiver CVE-1 in openssl expired on"):
        cleared(waivers=(waive(monkeypatch, days=-1),), rollback_to=rollback_to)


def test_an_expired_waiver_stops_no_rollback_while_the_registry_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scans that are recorded count then, whatever their age, and so do the waivers of then."""
    monkeypatch.setattr(clearance_module, "registry_is_silent", lambda *_: True)
    waived = waive(monkeypatch, days=-1)
    assert cleared(waivers=(waived,), rollback_to="v1-0")["record"]["offline"] is True
