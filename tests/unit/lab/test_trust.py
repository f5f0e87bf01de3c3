from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.errors import ToolError
from infra.lab import trust as subject
from infra.lab.certs import make_authority
from infra.lab.plan import AddressPlan

if TYPE_CHECKING:
    from pathlib import Path

PLAN = AddressPlan(number=11)
OURS = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
OTHER = "-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----\n"


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put both stores into a folder, with an `update-ca-certificates` that joins what lies in the system's."""
    system, bundle = tmp_path / "system", tmp_path / "bundle.crt"
    bundle.write_text("")
    monkeypatch.setattr(subject, "docker_file", lambda plan: tmp_path / "docker" / plan.registry_server / "ca.crt")
    monkeypatch.setattr(subject, "system_file", lambda plan: system / f"{plan.network}.crt")
    monkeypatch.setattr(subject, "BUNDLE", bundle)
    monkeypatch.setattr(subject, "LOCK", tmp_path / "trust.lock")
    monkeypatch.setattr(subject.shutil, "which", lambda name: name)
    monkeypatch.setattr(subject.os, "geteuid", lambda: 0)

    def update(argv: tuple[str, ...], *, timeout_seconds: float) -> None:
        assert argv == ("update-ca-certificates",)
        bundle.write_text("".join(path.read_text() for path in sorted(system.glob("*.crt"))))

    monkeypatch.setattr(subject, "run", update)
    return tmp_path


def test_trust_reaches_both_stores_and_is_undone(stores: Path) -> None:
    """Docker and the system trust the authority after `trust`, neither does after `distrust`."""
    subject.trust(PLAN, OURS, stores / "ca.pem")
    assert (stores / "docker" / "172.28.11.2:5000" / "ca.crt").read_text() == OURS
    assert "ours" in (stores / "bundle.crt").read_text()
    (stores / "acp-lab-11.pem").symlink_to(stores / "system" / "acp-lab-11.crt")
    (stores / "12345678.0").symlink_to("acp-lab-11.pem")
    (stores / "87654321.0").symlink_to("another.pem")
    assert subject.distrust(PLAN) == []
    assert sorted(path.name for path in stores.iterdir() if path.is_symlink()) == ["87654321.0"]
    assert "ours" not in (stores / "bundle.crt").read_text()
    assert not (stores / "docker" / "172.28.11.2:5000").exists()


def test_a_failed_update_of_the_store_is_caught_up(stores: Path) -> None:
    """The authority's file alone is no trust: where the bundle lacks it, the bundle is written again."""
    subject.trust(PLAN, OURS, stores / "ca.pem")
    (stores / "bundle.crt").write_text(OTHER)
    (stores / "system" / "other.crt").write_text(OTHER)
    subject.trust(PLAN, OURS, stores / "ca.pem")
    assert "ours" in (stores / "bundle.crt").read_text()


def test_trusting_again_changes_nothing(stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that trusts the authority already is left alone, root or not."""
    subject.trust(PLAN, OURS, stores / "ca.pem")

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("nothing had to be run")

    monkeypatch.setattr(subject, "run", refuse)
    monkeypatch.setattr(subject.os, "geteuid", lambda: 1000)
    subject.trust(PLAN, OURS, stores / "ca.pem")


def test_without_root_the_commands_are_named(stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not change the stores is told the exact commands, and nothing is changed."""
    monkeypatch.setattr(subject.os, "geteuid", lambda: 1000)
    with pytest.raises(ToolError, match="sudo update-ca-certificates") as caught:
        subject.trust(PLAN, OURS, stores / "ca.pem")
    assert str(stores / "ca.pem") in caught.value.mend
    assert not (stores / "docker").exists()


def test_distrust_without_root_names_the_commands(stores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only root can remove is reported, not dropped."""
    subject.trust(PLAN, OURS, stores / "ca.pem")
    monkeypatch.setattr(subject.os, "geteuid", lambda: 1000)
    (command,) = subject.distrust(PLAN)
    assert command.startswith(f"sudo rm -rf {stores}")
    assert command.endswith("sudo update-ca-certificates --fresh")


def test_a_certificate_added_to_the_bundle_by_hand_is_not_lost(stores: Path) -> None:
    """A certificate that only the bundle has is still in it afterwards."""
    (stores / "bundle.crt").write_text(OTHER)
    subject.trust(PLAN, OURS, stores / "ca.pem")
    assert (stores / "bundle.crt").read_text() == OURS + OTHER


def test_the_authority_of_a_lab_that_is_gone_is_dropped(stores: Path) -> None:
    """What an earlier lab left in the bundle alone does not stay trusted."""
    gone = make_authority("acp-lab-12 authority", "172.28.12.0/24").certificate
    (stores / "bundle.crt").write_text(gone)
    subject.trust(PLAN, OURS, stores / "ca.pem")
    assert (stores / "bundle.crt").read_text() == OURS


def test_renewal_replaces_the_old_certificate(stores: Path) -> None:
    """A new authority of the same lab takes the place of the old one in the bundle."""
    subject.trust(PLAN, OURS, stores / "ca.pem")
    subject.trust(PLAN, OTHER, stores / "ca.pem")
    assert (stores / "bundle.crt").read_text() == OTHER
