from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.hostctl import readiness
from tests.unit.hostctl.fake_host import FakeHost

if TYPE_CHECKING:
    from pathlib import Path

    from infra.hostctl.spec import Readiness


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be written without waiting for the disk, which a busy machine makes slow."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Return a host in memory whose containers answer ready while they run."""
    fake = FakeHost(tmp_path / "acp")

    def probe(address: str, port: int, how: Readiness) -> str | None:
        found = [c for c in fake.engine.all.values() if address in c.addresses.values()]
        return None if found and found[0].is_running and found[0].exit_code == 0 else "not ready"

    monkeypatch.setattr(readiness, "probe", probe)
    return fake
