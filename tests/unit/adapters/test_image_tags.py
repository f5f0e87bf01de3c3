from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.adapters.image_tags import ImageTags
from infra.errors import ImageMissingError, RegistryError
from tests.support.fake_programs import install_fake

if TYPE_CHECKING:
    from pathlib import Path

TAGS = ImageTags(server="r.test:5000", username="acp", password="hidden-password")
DIGEST = f"sha256:{'a' * 64}"


def test_a_tag_has_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of the tag itself is read, not that of a manifest inside it."""
    docker = install_fake("docker", tmp_path, monkeypatch)
    docker.answers(["Name:      r.test:5000/acp/x:v1", f"Digest:    {DIGEST}", f"  Digest:  sha256:{'b' * 64}"])
    assert TAGS.pinned("r.test:5000/acp/x", "v1") == f"r.test:5000/acp/x@{DIGEST}"
    assert docker.calls[0]["argv"] == ["buildx", "imagetools", "inspect", "r.test:5000/acp/x:v1"]


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("ERROR: r.test:5000/acp/x:v9: not found", ImageMissingError),
        ("ERROR: unexpected status from HEAD request: 401 Unauthorized", RegistryError),
    ],
)
def test_a_tag_that_cannot_be_had_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, kind: type[RegistryError]
) -> None:
    """A tag that is not there, and a login that is refused, are told apart."""
    install_fake("docker", tmp_path, monkeypatch).answers(stderr=stderr, status=1)
    with pytest.raises(kind) as caught:
        TAGS.pinned("r.test:5000/acp/x", "v9")
    assert type(caught.value) is kind


def test_an_answer_without_a_digest_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends well and says nothing is an error."""
    install_fake("docker", tmp_path, monkeypatch).answers(["Name: x"])
    with pytest.raises(RegistryError):
        TAGS.pinned("r.test:5000/acp/x", "v1")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"config": {"Labels": {"a": "1"}}}, {"a": "1"}),
        ({"config": {"Labels": None}}, {}),
        ({"linux/amd64": {"config": {"Labels": {"a": "1"}}}, "linux/arm64": {}}, {}),
    ],
)
def test_an_image_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], expected: dict[str, str]
) -> None:
    """The labels of the one image behind a digest are read; several platforms have none in common."""
    docker = install_fake("docker", tmp_path, monkeypatch)
    docker.answers([json.dumps(answer)])
    assert TAGS.labels(f"r.test:5000/acp/x@{DIGEST}") == expected
    assert docker.calls[0]["argv"][3:] == [f"r.test:5000/acp/x@{DIGEST}", "--format", "{{json .Image}}"]


def test_labels_that_cannot_be_had_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that refuses is not an image without labels."""
    install_fake("docker", tmp_path, monkeypatch).answers(stderr="401 Unauthorized", status=1)
    with pytest.raises(RegistryError, match="refused the login"):
        TAGS.labels(f"r.test:5000/acp/x@{DIGEST}")


def test_a_digest_gets_a_tag_without_the_password_in_sight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest is copied as it is; the password is in no argument."""
    cosign = install_fake("cosign", tmp_path, monkeypatch)
    TAGS.add(f"r.test:5000/acp/x@{DIGEST}", "v2")
    assert cosign.calls[0]["argv"] == ["copy", "--force", f"r.test:5000/acp/x@{DIGEST}", "r.test:5000/acp/x:v2"]
    cosign.answers(stderr="Error: denied for hidden-password", status=1)
    with pytest.raises(RegistryError) as caught:
        TAGS.add(f"r.test:5000/acp/x@{DIGEST}", "v2")
    assert "hidden-password" not in str(caught.value)
