from __future__ import annotations

import pytest

from infra.errors import SettingsError, UsageError
from infra.lab import up as subject
from infra.lab.folder import LabFolder
from infra.lab.plan import AddressMode
from infra.toolchain.progress import Progress


def test_the_environment_chooses_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ACP_LAB_ADDRESSES` is loopback or ports; without it the lab keeps what it has."""
    monkeypatch.delenv("ACP_LAB_ADDRESSES", raising=False)
    assert subject.wanted_mode() is None
    monkeypatch.setenv("ACP_LAB_ADDRESSES", "ports")
    assert subject.wanted_mode() is AddressMode.PORTS


def test_an_unknown_mode_is_named_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error is answered with the setting's name and its values."""
    monkeypatch.setenv("ACP_LAB_ADDRESSES", "port")
    with pytest.raises(SettingsError, match=r"ACP_LAB_ADDRESSES: must be loopback or ports \(got port\)"):
        subject.wanted_mode()


def test_where_loopback_has_one_address_ports_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which 127.0.11.11 cannot be bound gets the mode that needs only 127.0.0.1."""

    class Refusing:
        def bind(self, address: tuple[str, int]) -> None:
            raise OSError(99, "Cannot assign requested address")

        def close(self) -> None:
            """Close nothing."""

    monkeypatch.setattr(subject.socket, "socket", Refusing)
    assert subject.possible_mode() is AddressMode.PORTS


@pytest.mark.parametrize("count", [0, -1, 33])
def test_a_count_of_hosts_that_cannot_be_is_refused(tmp_path: str, count: int) -> None:
    """Before anything is touched the range is named."""
    with pytest.raises(UsageError, match=r"--hosts must be 1\.\.32"):
        subject.up(LabFolder(path=tmp_path), count, Progress())  # type: ignore[arg-type] - never reached
