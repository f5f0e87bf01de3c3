from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from infra.errors import ToolError
from infra.lab import certs, registry
from infra.lab.folder import LabFolder, Memory, read_memory, write_atomically, write_memory
from infra.lab.keys import ensure_key
from infra.lab.plan import AddressMode, AddressPlan
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    """Return a prepared lab folder."""
    found = LabFolder(path=tmp_path / ".lab")
    found.prepare()
    return found


def test_secrets_are_private_and_made_once(folder: LabFolder) -> None:
    """Seed and passphrase are for their owner alone and survive a second run."""
    before = [(folder.path / name).read_text() for name in ("seed", "passphrase")]
    folder.prepare()
    assert [(folder.path / name).read_text() for name in ("seed", "passphrase")] == before
    assert len(bytes.fromhex(before[0])) == 32
    assert before[0] != before[1]
    assert _mode(folder.path) == 0o700
    assert _mode(folder.path / "seed") == _mode(folder.path / "passphrase") == 0o600


def test_an_atomic_write_leaves_no_other_file(tmp_path: Path) -> None:
    """Only the file itself is there afterwards, with the mode asked for even when it had another."""
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, "new", mode=0o666)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "new"
    assert _mode(path) == 0o666, "whatever the umask is"


def test_memory_is_read_back(folder: LabFolder) -> None:
    """What a lab remembers is the same in the next run."""
    memory = Memory(identity="me", number=12, mode=AddressMode.PORTS, hosts=3, pushed={"library/redis:8.0": "a b"})
    assert read_memory(folder) is None
    write_memory(folder, memory)
    assert read_memory(folder) == memory
    assert memory.plan == AddressPlan(number=12, mode=AddressMode.PORTS)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mode": "loopback", "more": 1}'])
def test_a_damaged_memory_is_an_error_with_its_mend(folder: LabFolder, text: str) -> None:
    """A file that is no memory is named together with the way out."""
    folder.memory_file.write_text(text)
    with pytest.raises(ToolError, match="lab down"):
        read_memory(folder)


def test_paths_are_shown_relative_to_the_checkout_only_inside_it(tmp_path: Path) -> None:
    """The inventory of a checkout can be moved with it; a lab elsewhere has full paths."""
    inside = LabFolder(path=PROJECT_ROOT / ".lab")
    assert inside.shown(inside.ca_file) == ".lab/ca.pem"
    outside = LabFolder(path=tmp_path)
    assert outside.shown(outside.ca_file) == str(tmp_path / "ca.pem")


def test_a_key_stays_once_made(tmp_path: Path) -> None:
    """A key pair is ed25519, private, and pinned for the lab's life."""
    public = ensure_key(tmp_path / "setup", "acp-setup")
    assert public.startswith("ssh-ed25519 AAAA")
    assert ensure_key(tmp_path / "setup", "acp-setup") == public
    assert (tmp_path / "setup.pub").read_text() == f"{public} acp-setup\n"
    assert _mode(tmp_path / "setup") == 0o600


def test_registry_files_stay_until_they_no_longer_fit(folder: LabFolder) -> None:
    """Certificate and password hash are kept as they are, and made anew for another authority, seed or address."""
    plan, moved = AddressPlan(number=11), AddressPlan(number=12)
    authority = registry.ensure_authority(folder, plan)
    first = registry.ensure_files(folder, plan, authority)
    assert registry.ensure_authority(folder, plan) == authority
    assert registry.ensure_files(folder, plan, authority) == first
    other = certs.make_authority("other", plan.subnet)
    renewed = registry.ensure_files(folder, plan, other)
    assert renewed != first
    assert registry.ensure_files(folder, plan, other) == renewed
    (folder.path / "seed").write_text("ab" * 32 + "\n")
    assert registry.ensure_files(folder, plan, authority) != first
    assert registry.ensure_authority(folder, moved) != authority


def test_registry_keeps_only_a_hash_of_its_password(folder: LabFolder) -> None:
    """No file the registry reads holds the password itself."""
    plan = AddressPlan(number=11)
    registry.ensure_files(folder, plan, registry.ensure_authority(folder, plan))
    texts = [path.read_text() for path in folder.registry.iterdir()]
    assert not any(registry.password(folder) in text for text in texts)
    assert (folder.registry / "htpasswd").read_text().startswith("acp:$2b$")
