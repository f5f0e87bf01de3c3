from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.checks import clearance as clearance_module
from infra.checks import scan as scan_module
from infra.checks.clearance import clear_release
from infra.checks.scan import scan_or_recall
from infra.domain.recorded_gate import recorded_scan, unsigned_then
from infra.domain.text_form import to_text
from infra.errors import GateError
from infra.release import Earlier, recorded_gate
from tests.support.release import make_release
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from pathlib import Path

A, B = f"registry.test:5000/acp/a@sha256:{'a' * 64}", f"registry.test:5000/acp/b@sha256:{'b' * 64}"
SCAN = {"name": "a", "image": A, "passed": True, "waivers": [], "scanned_at": "2026-01-05T09:00:00+00:00"}
SIGNING = {"release_key_file": "keys/release", "image_public_key_file": "keys/cosign.pub"}
SIGNER = "the key keys/cosign.pub"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the stack the secrets that it asks for."""
    for name in make_settings().secrets.required:
        monkeypatch.setenv(f"LOCAL_{name}", "s3cr3t")


def silent(monkeypatch: pytest.MonkeyPatch, *, is_silent: bool) -> None:
    """Let the registry answer, or not."""
    for module in (clearance_module, scan_module):
        monkeypatch.setattr(module, "registry_is_silent", lambda *_: is_silent)


def test_only_a_passed_scan_of_the_very_digest_counts() -> None:
    """Another digest, or a scan that blocked, does not."""
    assert recorded_scan([SCAN], A) == SCAN
    assert recorded_scan([SCAN], B) is None
    assert recorded_scan([{**SCAN, "passed": False}], A) is None


def test_only_signatures_of_the_signer_of_today_count() -> None:
    """A key that was changed since, or a release without signatures, is refused with who signed it."""
    assert unsigned_then({"signed_by": SIGNER}, SIGNER) == []
    assert "signed by the key old.pub, not by the key keys/cosign.pub" in unsigned_then(
        {"signed_by": "the key old.pub"}, SIGNER
    )[0].replace("it was ", "")
    assert "were not verified" in unsigned_then({"signed_by": None}, SIGNER)[0]


def test_only_a_rollback_may_rest_on_the_record() -> None:
    """A release never does, and the stack can forbid it to rollbacks too."""
    entry = {"release": "v1-0", "gate": {"signed_by": SIGNER, "scans": [SCAN]}}
    earlier = Earlier(entry=entry, history=[entry], fingerprint_key="k")
    assert recorded_gate(make_settings(rollback_to="v1-0"), earlier).scan_of(A) == SCAN
    assert recorded_gate(make_settings(), earlier).scan_of(A) is None
    forbidden = make_settings(rollback_to="v1-0", gate={"rollback_without_registry": False})
    assert recorded_gate(forbidden, earlier).scan_of(A) is None


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("is_silent", [True, False])
def test_the_recorded_scan_stands_in_while_the_registry_is_silent(
    monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    """While it answers the image is scanned, whatever is recorded."""
    silent(monkeypatch, is_silent=is_silent)
    monkeypatch.setattr(scan_module, "scan_image", lambda *_: {"fresh": True})
    settings = make_settings(rollback_to="v1-0").model_dump(mode="json")
    props = {"settings": settings, "name": "a", "image": A, "accept_risk": "", "recorded": SCAN}
    assert scan_or_recall(props, lambda _: None) == (SCAN if is_silent else {"fresh": True})


def cleared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recorded: dict[str, Any], vouched: Any = None
) -> dict[str, Any]:
    """Clear a rollback while the registry is silent, or says what `vouched` returns."""
    silent(monkeypatch, is_silent=vouched is None)
    asked = vouched or (lambda *_: pytest.fail("the registry was asked"))
    monkeypatch.setattr(clearance_module, "vouched", asked)
    monkeypatch.setattr(clearance_module, "sign", lambda text, _key: f"signed {len(text)}")
    settings = make_settings(rollback_to="v1-0", gate={"signing": SIGNING})
    release = make_release(settings)
    images = {ref.name: ref.pinned for ref in release.images}
    return clear_release(
        {
            "settings": to_text(settings.model_dump(mode="json")),
            "spec": to_text(dict(release.spec)),
            "run_id": "run-1",
            "images": images,
            "reports": [{**SCAN, "image": pinned} for pinned in images.values()],
            "built": False,
            "commit": "",
            "history": [],
            "recorded": recorded,
        },
        lambda _: None,
    )


@pytest.mark.usefixtures("secrets")
def test_a_release_is_cleared_for_its_kept_containers_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clearance says so, and the record that it was made without the registry."""
    done = cleared(monkeypatch, tmp_path, {"signed_by": SIGNER, "sbom": ["acp-ingest"]})
    assert '"warm_only":true' in done["clearance"]["document"]
    assert done["record"]["offline"] is True
    assert done["record"]["sbom"] == ["acp-ingest"]


@pytest.mark.usefixtures("secrets")
def test_a_release_of_another_signer_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The registry cannot be asked for better."""
    with pytest.raises(GateError, match="not by the key keys/cosign") as caught:
        cleared(monkeypatch, tmp_path, {"signed_by": "the key old.pub"})
    assert caught.value.mend == "no host was changed"


@pytest.mark.usefixtures("secrets")
def test_a_release_that_is_not_signed_is_refused_with_the_way_to_sign(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The registry answers, and has no signature."""
    unsigned = clearance_module.Vouched(problems=["acp-ingest: it is not signed"], attached={})
    with pytest.raises(GateError, match="it is not signed") as caught:
        cleared(monkeypatch, tmp_path, {}, vouched=lambda *_: unsigned)
    assert caught.value.mend.startswith("sign them where they are built: `acp-release sign --stack local")
    assert caught.value.mend.endswith("; no host was changed")
