from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from infra.adapters.trivy import read_database
from infra.lab import signing_keys, trivy_database
from infra.lab.folder import LabFolder
from infra.lab.seed import derive, read_seed
from infra.toolchain.cosign import read_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    """Return the folder of a new lab."""
    made = LabFolder(path=tmp_path / "lab")
    made.prepare()
    return made


def test_the_database_is_made_once_and_dated_each_time(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only other sources make the database anew; its date is that of the last `lab up`, and it says whose it is."""
    made: list[Path] = []

    def make(place: Path, _sources: Sequence[Path]) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
        made.append(place)

    monkeypatch.setattr(trivy_database, "make_database", make)
    for _ in range(2):
        trivy_database.ensure_database(folder)
    assert len(made) == 1
    found = read_database(folder.trivy)
    assert found.updated_at is not None
    assert datetime.now(UTC) - found.updated_at < timedelta(minutes=1)
    assert found.origin == "lab"
    (folder.trivy / "sources.sha256").write_text("other")
    trivy_database.ensure_database(folder)
    assert len(made) == 2


def test_the_database_of_the_lab_blocks_nothing() -> None:
    """What the lab's database knows is LOW: it shows that scans find something, and lets the reference app pass."""
    text = "".join(path.read_text() for path in trivy_database.SOURCES.glob("*.yaml"))
    assert "Severity: LOW" in text
    assert not {"CRITICAL", "HIGH", "MEDIUM"} & set(text.replace(":", " ").split())


def test_the_image_key_has_a_password_of_the_seed(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The derived password goes to cosign by environment, never as an argument."""
    seen: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(signing_keys, "run", lambda argv, *, env, **_: seen.append((argv, env)))
    signing_keys.ensure_signing_keys(folder)
    password = derive(read_seed(folder.path), "COSIGN_PASSWORD")
    argv, env = seen[0]
    assert env["COSIGN_PASSWORD"] == password
    assert password not in json.dumps(argv)
    assert (folder.keys / "release.pub").read_text().startswith("ssh-ed25519 ")


def test_keys_that_are_there_are_kept(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair is made only when one half is missing."""
    monkeypatch.setattr(signing_keys, "run", lambda *_, **__: pytest.fail("made again"))
    folder.keys.mkdir(parents=True, exist_ok=True)
    for name in ("cosign.key", "cosign.pub"):
        (folder.keys / name).write_text("x")
    signing_keys.ensure_signing_keys(folder)


@pytest.mark.parametrize(
    ("own", "package", "version"),
    [("GitVersion:    v2.5.0\n", "", (2, 5, 0)), ("GitVersion:    devel\n", "2.5.0-2+b5", (2, 5, 0)), ("", "", None)],
)
def test_the_version_of_cosign_is_read(own: str, package: str, version: tuple[int, ...] | None) -> None:
    """Debian's build calls itself `devel`; then its package says the version."""
    assert read_version(own, package) == version
