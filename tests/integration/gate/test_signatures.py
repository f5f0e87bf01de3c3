from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.clearance import SBOM_KIND, clear_release, sign_images, verifier_of, vouched
from infra.checks.gate import scan_image
from infra.checks.reuse import why_not_reused
from infra.domain.release import ImageRef, build_release
from infra.domain.text_form import from_text, to_text
from infra.errors import GateError
from infra.lab.signing_keys import PASSWORD, ensure_signing_keys
from infra.paths import PROJECT_ROOT
from infra.settings.secrets import read_secrets
from infra.sources import app_template
from tests.integration.gate.conftest import Stand, debian

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from infra.settings import Settings

pytestmark = pytest.mark.lab


@pytest.fixture
def images(stand: Stand) -> dict[str, str]:
    """Push new images under both of the app's names."""
    return {
        name: stand.push(f"gate-{name}", debian("tar", os.urandom(4).hex())) for name in ("acp-ingest", "acp-agents")
    }


@pytest.fixture
def signing(stand: Stand) -> dict[str, str]:
    """Return the lab's keys as settings."""
    ensure_signing_keys(stand.lab.folder)
    keys = stand.lab.folder.keys
    return {
        "release_key_file": str(keys / "release"),
        "image_key_file": str(keys / "cosign.key"),
        "image_public_key_file": str(keys / "cosign.pub"),
    }


def props(stand: Stand, settings: Settings, images: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Return what the clearance is asked for, with every image scanned for real."""
    refs = {name: ImageRef.from_pinned(name, "test", image) for name, image in images.items()}
    release = build_release(settings, app_template(settings), refs, version="test", fingerprints={})
    reports = []
    for name, image in images.items():
        request = stand.request(image, signing=None)
        report = scan_image(request, lambda _: None)
        target = PROJECT_ROOT / settings.gate.report_folder / settings.stack / name
        target.mkdir(parents=True, exist_ok=True)
        for kept in ("sbom.cdx.json", "verdict.json"):
            (target / kept).write_bytes((request.folder / kept).read_bytes())
        reports.append(report)
    return {
        "settings": to_text(settings.model_dump(mode="json")),
        "spec": to_text(dict(release.spec)),
        "run_id": "run",
        "images": images,
        "reports": reports,
        "built": True,
        "commit": "c" * 40,
        "history": [],
        **changes,
    }


def reason(asked: dict[str, Any]) -> str:
    """Ask for a clearance that must be refused, and return why."""
    with pytest.raises(GateError) as caught:
        clear_release(asked, lambda _: None)
    return str(caught.value)


def test_what_was_built_here_is_signed_attested_and_cleared(
    stand: Stand, images: dict[str, str], signing: dict[str, str], show: Callable[[str], None], shown: list[str]
) -> None:
    """Images built by this run are signed and get SBOM and provenance; the release is signed with its digests."""
    found = clear_release(props(stand, stand.settings(signing=signing), images), show)
    document = json.loads(found["clearance"]["document"])
    assert document["images"] == sorted(images.values())
    assert found["clearance"]["signature"].startswith("-----BEGIN SSH SIGNATURE-----")
    assert found["record"]["sbom"] == found["record"]["provenance"] == sorted(images)
    assert "2 signed by the key" in shown[0]
    assert stand.lab.registry_password not in json.dumps(found)


def test_another_release_than_the_approved_one_is_blocked(
    stand: Stand, images: dict[str, str], signing: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that nobody approved is not signed, whatever its images are."""
    monkeypatch.setenv("ACP_APPROVED_RELEASE", "v9-ffffffff")
    assert "v9-ffffffff was approved, and this would be" in reason(
        props(stand, stand.settings(signing=signing), images)
    )


def test_an_unsigned_image_is_blocked(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """An image that was pushed by hand and is released by its tag is blocked."""
    found = reason(props(stand, stand.settings(signing=signing), images, built=False))
    assert "acp-ingest: it is not signed" in found
    assert "acp-agents: it is not signed" in found


def test_a_foreign_image_under_a_known_tag_is_not_signed(
    stand: Stand, images: dict[str, str], signing: dict[str, str]
) -> None:
    """An image that somebody pushed ahead of the build does not stand in for it, and who found it signs nothing."""
    settings = stand.settings(signing=signing)
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    foreign = ImageRef.from_pinned("acp-agents", "test", images["acp-agents"])
    assert why_not_reused(settings, stand.lab.registry_password, foreign) == "it is not signed"
    with pytest.raises(GateError, match="acp-agents: it is not signed"):
        sign_images(settings, secrets, images, built=["acp-ingest"], commit="c" * 40)
    assert settings.gate.signing
    assert len(vouched(settings, secrets, verifier_of(settings.gate.signing), images).problems) == len(images)


def test_a_signed_image_under_another_tag_does_not_stand_in_for_a_build(
    stand: Stand, images: dict[str, str], signing: dict[str, str]
) -> None:
    """A signature is of a digest: an image that does not say itself that it is this version is built anew."""
    settings = stand.settings(signing=signing)
    clear_release(props(stand, settings, images), lambda _: None)
    retagged = ImageRef.from_pinned("acp-agents", "test", images["acp-agents"])
    assert why_not_reused(settings, stand.lab.registry_password, retagged) == "its own label says no version"


def test_another_key_is_blocked(stand: Stand, images: dict[str, str], signing: dict[str, str], tmp_path: Path) -> None:
    """An image signed by somebody else is blocked."""
    environment = {**os.environ, PASSWORD: "x"}
    subprocess.run(
        ["cosign", "generate-key-pair", "--output-key-prefix", str(tmp_path / "other")],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    clear_release(props(stand, stand.settings(signing=signing), images), lambda _: None)
    others = {**signing, "image_public_key_file": str(tmp_path / "other.pub")}
    assert "signed, but not by" in reason(props(stand, stand.settings(signing=others), images, built=False))


def test_the_signature_of_another_digest_is_blocked(
    stand: Stand, images: dict[str, str], signing: dict[str, str]
) -> None:
    """A signature that was copied from another image is blocked."""
    settings = stand.settings(signing=signing)
    clear_release(props(stand, settings, images), lambda _: None)
    signed = images["acp-ingest"]
    fresh = stand.push("gate-acp-ingest", debian("tar", os.urandom(4).hex()))
    tags = [image.partition("@")[2].replace(":", "-") + ".sig" for image in (signed, fresh)]
    with stand.client() as http:
        old = http.get(
            f"/v2/acp/gate-acp-ingest/manifests/{tags[0]}",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        )
        copied = http.put(
            f"/v2/acp/gate-acp-ingest/manifests/{tags[1]}",
            content=old.content,
            headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        )
    assert copied.is_success
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    assert settings.gate.signing
    found = vouched(settings, secrets, verifier_of(settings.gate.signing), {"acp-ingest": fresh}).problems
    assert "another digest" in found[0]


def test_an_image_that_was_not_scanned_is_blocked(
    stand: Stand, images: dict[str, str], signing: dict[str, str]
) -> None:
    """An image without a passed scan is blocked, whoever signed it."""
    asked = props(stand, stand.settings(signing=signing), images)
    assert "was not scanned" in reason({**asked, "reports": asked["reports"][:1]})


def test_an_unused_waiver_blocks(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """A waiver of what no image has blocks the release."""
    asked = props(stand, stand.settings(signing=signing), images)
    stand.waive("waivers: [{id: CVE-1, package: x, owner: ann, reason: long enough, expires: 2999-01-01}]\n")
    assert "waiver CVE-1 in x is not used" in reason(asked)


def test_a_moved_tag_is_blocked(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """A tag that has other digests than the stack before released is blocked."""
    settings = stand.settings(signing=signing, promoted_from="staging").model_copy(update={"image_tag": "v2"})
    released = {**images, "acp-ingest": images["acp-ingest"].rpartition(":")[0] + ":" + "e" * 64}
    asked = props(stand, settings, images, built=False, history=[{"version": "v2", "images": released}])
    assert "the tag v2 moved" in reason(asked)


def test_an_edited_release_is_blocked(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """A recorded release whose compose file was edited to ask for more is blocked by the rules."""
    asked = props(stand, stand.settings(signing=signing), images)
    spec = from_text(asked["spec"])
    spec["compose"]["services"]["ingest"]["privileged"] = True
    asked["spec"] = to_text(spec)
    assert "services.ingest.privileged: is not allowed" in reason(asked)


def test_the_sbom_is_in_the_registry(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """The attached SBOM lists the packages of the image."""
    settings = stand.settings(signing=signing)
    clear_release(props(stand, settings, images), lambda _: None)
    image = images["acp-ingest"]
    from base64 import b64decode  # noqa: PLC0415 - used here alone

    from infra.adapters.cosign import verify_attestation_argv  # noqa: PLC0415 - used here alone
    from infra.adapters.registry_login import docker_login  # noqa: PLC0415 - used here alone

    assert settings.gate.signing
    argv = verify_attestation_argv(image, verifier_of(settings.gate.signing), kind=SBOM_KIND)
    with docker_login(stand.lab.registry_server, "acp", stand.lab.registry_password) as environment:
        done = subprocess.run(argv, check=True, capture_output=True, text=True, env=environment)
    statement = json.loads(b64decode(json.loads(done.stdout.splitlines()[0])["payload"]))
    assert statement["subject"][0]["digest"]["sha256"] == image.rpartition(":")[2]
    assert "tar" in {part["name"] for part in statement["predicate"]["components"]}


def test_another_runner_makes_the_sbom_again(stand: Stand, images: dict[str, str], signing: dict[str, str]) -> None:
    """A recorded scan whose reports are on another machine does not keep the SBOM from being attached."""
    settings = stand.settings(signing=signing)
    asked = props(stand, settings, images)
    for name in images:
        (stand.reports.parent / name / "verdict.json").unlink()
        (stand.reports.parent / name / "sbom.cdx.json").unlink()
    assert clear_release(asked, lambda _: None)["record"]["sbom"] == sorted(images)
