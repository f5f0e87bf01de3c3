from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.request
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import vendor
from infra.toolchain.errors import SetupError
from infra.toolchain.versions import GO_TOOLS

if TYPE_CHECKING:
    from pathlib import Path

PULUMI = next(tool for tool in GO_TOOLS if tool.name == "pulumi")


def archive(*names: str) -> bytes:
    """Return a packed archive with files of these names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as target:
        for name in names:
            target.addfile(tarfile.TarInfo(name))
    return packed.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes, digest: str) -> None:
    """Let the download server send `content` and the release page publish `digest`."""
    monkeypatch.setattr(vendor, "_download", lambda _url, target: target.write_bytes(content))
    monkeypatch.setattr(vendor, "_read", lambda _url: f"{digest}  {vendor.archive_name()}\n".encode())


def test_archive_is_taken_when_both_origins_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive's files end up in the place, marked complete, and nothing is left beside it."""
    content = archive(*(f"pulumi/{name}" for name in PULUMI.executables))
    serve(monkeypatch, content, hashlib.sha256(content).hexdigest())
    vendor.fetch(PULUMI, tmp_path / "tools" / "vendor")
    assert (tmp_path / "tools" / "vendor" / "bin" / "pulumi").exists()
    assert (tmp_path / "tools" / "vendor" / "complete").exists()
    assert [path.name for path in (tmp_path / "tools").iterdir()] == ["vendor"]


def test_archive_of_another_checksum_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the download server sends counts for nothing if the release page publishes another checksum."""
    serve(monkeypatch, archive("pulumi/pulumi"), "0" * 64)
    with pytest.raises(SetupError, match="not the one whose checksum"):
        vendor.fetch(PULUMI, tmp_path / "tools" / "vendor")
    assert list((tmp_path / "tools").iterdir()) == []


def test_archive_that_leads_elsewhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive with a path out of its folder is not unpacked."""
    content = archive("../../evil")
    serve(monkeypatch, content, hashlib.sha256(content).hexdigest())
    with pytest.raises(SetupError, match="cannot be unpacked"):
        vendor.fetch(PULUMI, tmp_path / "tools" / "vendor")
    assert not (tmp_path / "evil").exists()


def test_archive_without_the_language_host_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that lacks one of the files is not taken, and the missing ones are named."""
    content = archive("pulumi/pulumi")
    serve(monkeypatch, content, hashlib.sha256(content).hexdigest())
    with pytest.raises(SetupError, match="has no pulumi-language-python,"):
        vendor.fetch(PULUMI, tmp_path / "tools" / "vendor")
    assert not (tmp_path / "tools" / "vendor").exists()


def test_file_without_a_checksum_is_refused() -> None:
    """A file that the list lacks has no checksum, and a longer name is another file."""
    listed = f"{'a' * 64}  other.tar.gz\n{'b' * 64} *this.tar.gz\n"
    assert vendor.expected_digest(listed, "this.tar.gz") == "b" * 64
    with pytest.raises(SetupError, match=r"no checksum for his\.tar\.gz"):
        vendor.expected_digest(listed, "his.tar.gz")


def test_switch_keeps_away_from_the_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the switch set no server is asked."""
    monkeypatch.setenv(vendor.SWITCH, "never")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("a server was asked"))
    vendor.reachable.cache_clear()
    assert not vendor.reachable()
    vendor.reachable.cache_clear()
