"""What is signed: what a run built, and nothing that it found in the registry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.cosign import Problem
from infra.checks import clearance, reuse
from infra.checks.clearance import PROVENANCE_KIND, SBOM_KIND, sign_images
from infra.checks.reuse import why_not_reused
from infra.domain.build_definition import DEFINITION_LABEL, definition_of
from infra.domain.release import ImageRef
from infra.errors import GateError
from infra.settings.secrets import SecretValues
from tests.support.settings import make_settings

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from infra.settings import Settings

NAMES = ("acp-ingest", "acp-agents")
IMAGES = {name: f"registry.test:5000/acp/{name}@sha256:{digit * 64}" for name, digit in zip(NAMES, "ab", strict=True)}
UNSIGNED = "it is not signed"


@dataclass(frozen=True)
class FakeCosign:
    """A registry in which some images are signed and have statements; keeps what was attached, in order."""

    signed: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()
    attached: list[tuple[str, str]] = field(default_factory=list)

    def problem(self, image: str, _verifier: object) -> Problem | None:
        """Return why a signature does not count."""
        return None if image in self.signed else Problem(text=UNSIGNED, is_verdict=True)

    def attested(self, image: str, _verifier: object, *, kind: str) -> bool:
        """Return whether a statement is there."""
        return image in self.stated

    def sign(self, image: str, _key: str | None) -> None:
        """Sign."""
        self.attached.append((image, "signature"))

    def attest(self, image: str, _key: str | None, *, kind: str, predicate: Path) -> None:
        """Attach a statement."""
        self.attached.append((image, kind))


def signing_stack() -> Settings:
    """Return a stack that asks for signatures of a key."""
    keys = {"release_key_file": "r", "image_key_file": "k", "image_public_key_file": "k.pub"}
    return make_settings(gate={"signing": keys})


def signed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cosign: FakeCosign, built: Collection[str]
) -> list[tuple[str, str]]:
    """Sign all images in a run that built some of them, and return what was attached to which."""
    monkeypatch.setattr(clearance, "Cosign", lambda **_: cosign)
    monkeypatch.setattr(clearance, "sbom_of", lambda *_: tmp_path)
    secrets = SecretValues(values={"REGISTRY_PASSWORD": "x"})
    sign_images(signing_stack(), secrets, IMAGES, built=built, commit="c" * 40)
    return cosign.attached


def test_what_a_run_built_is_signed_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both statements are attached before the signature, so that a signed image lacks nothing."""
    attached = signed(monkeypatch, tmp_path, FakeCosign(), IMAGES)
    for image in IMAGES.values():
        assert [what for of, what in attached if of == image] == [SBOM_KIND, PROVENANCE_KIND, "signature"]


def test_a_foreign_image_under_a_known_tag_is_not_signed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An unsigned image that the run did not build is refused by name, and the others are not signed either."""
    cosign = FakeCosign()
    with pytest.raises(GateError, match=f"acp-agents: {UNSIGNED}") as caught:
        signed(monkeypatch, tmp_path, cosign, ["acp-ingest"])
    assert "acp-ingest: " not in str(caught.value)
    assert "nothing was signed" in caught.value.mend
    assert cosign.attached == []


def test_what_another_run_signed_gets_no_provenance_of_this_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A signed image keeps its signature; a missing SBOM is attached, and who built it is not made up."""
    cosign = FakeCosign(signed=(IMAGES["acp-agents"],))
    attached = signed(monkeypatch, tmp_path, cosign, ["acp-ingest"])
    assert [what for of, what in attached if of == IMAGES["acp-agents"]] == [SBOM_KIND]


def test_what_has_everything_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Signing again changes nothing."""
    everything = tuple(IMAGES.values())
    assert signed(monkeypatch, tmp_path, FakeCosign(signed=everything, stated=everything), IMAGES) == []


@pytest.mark.parametrize(
    ("is_signed", "labels", "expected"),
    [
        (True, {"org.opencontainers.image.version": "v2"}, ""),
        (False, {"org.opencontainers.image.version": "v2"}, UNSIGNED),
        (True, {"org.opencontainers.image.version": "v1"}, "its own label says v1"),
        (True, {}, "its own label says no version"),
    ],
)
def test_only_a_signed_image_of_that_version_stands_in_for_a_build(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str], expected: str, *, is_signed: bool
) -> None:
    """Neither an unsigned image nor a signed one of another version is what the tag says."""
    image = ImageRef.from_pinned("acp-ingest", "v2", IMAGES["acp-ingest"])
    monkeypatch.setattr(reuse, "Cosign", lambda **_: FakeCosign(signed=(image.pinned,) if is_signed else ()))
    monkeypatch.setattr(reuse, "ImageTags", lambda **_: FakeTags(labels))
    assert why_not_reused(signing_stack(), "x", image) == expected


@pytest.mark.parametrize("text", ["error: 503 Service Unavailable", f"{UNSIGNED}, says a proxy"])
def test_an_image_of_which_nobody_can_say_is_not_replaced(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A registry or a log that does not answer says nothing about the image, whatever its words are."""

    class Unsure(FakeCosign):
        def problem(self, image: str, _verifier: object) -> Problem:
            return Problem(text=text, is_verdict=False)

    monkeypatch.setattr(reuse, "Cosign", lambda **_: Unsure())
    image = ImageRef.from_pinned("acp-ingest", "v2", IMAGES["acp-ingest"])
    with pytest.raises(GateError, match=f"nobody can say whether it is signed: {text}"):
        why_not_reused(signing_stack(), "x", image)


@pytest.mark.parametrize(
    ("labelled_as", "is_reused"),
    [
        pytest.param({}, True, id="the same build"),
        pytest.param({"sources": ("compose",)}, True, id="a version by other sources"),
        pytest.param({"build_args": {"PYTHON": "3.13"}}, False, id="other build arguments"),
        pytest.param({"target": "slim"}, False, id="another stage"),
        pytest.param({"context": "elsewhere"}, False, id="another context"),
        pytest.param(None, True, id="from before there was a label"),
    ],
)
def test_without_signatures_the_image_says_whether_it_was_built_so(
    monkeypatch: pytest.MonkeyPatch, labelled_as: dict[str, Any] | None, *, is_reused: bool
) -> None:
    """Where nobody signs there is nobody to ask; but the sources' version tells nothing of how they were built."""
    settings = make_settings()
    labels = {}
    if labelled_as is not None:
        labels[DEFINITION_LABEL] = definition_of(settings.images["acp-ingest"].model_copy(update=labelled_as))
    monkeypatch.setattr(reuse, "Cosign", lambda **_: pytest.fail("cosign was asked"))
    monkeypatch.setattr(reuse, "ImageTags", lambda **_: FakeTags(labels))
    why = why_not_reused(settings, "x", ImageRef.from_pinned("acp-ingest", "v2", IMAGES["acp-ingest"]))
    assert ("build_args in the stack file were others" in why) is not is_reused
    assert bool(why) is not is_reused


@dataclass(frozen=True)
class FakeTags:
    """A registry whose images have these labels."""

    found: dict[str, Any]

    def labels(self, _pinned: str) -> dict[str, Any]:
        """Return the labels."""
        return self.found
