from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.adapters.key_files import install_key
from infra.adapters.process import run
from infra.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key(tmp_path: Path) -> str:
    """Return the text of a private key."""
    path = tmp_path / "made"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], timeout_seconds=20)
    return path.read_text(encoding="utf-8")


def test_a_key_and_its_public_half_are_written_for_this_user_alone(tmp_path: Path, key: str) -> None:
    """The file is private, the public half is derived, and a second call changes nothing."""
    path = tmp_path / "home" / ".ssh" / "deploy"
    assert install_key(path, key.rstrip("\n"), variable="STAGING_DEPLOY_SSH_KEY")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    made = (tmp_path / "made.pub").read_text(encoding="utf-8").split()
    assert path.with_name("deploy.pub").read_text(encoding="utf-8").split()[:2] == made[:2]
    assert not install_key(path, key, variable="STAGING_DEPLOY_SSH_KEY")


def test_another_key_is_never_replaced(tmp_path: Path, key: str) -> None:
    """A file that is there with another content stays."""
    path = tmp_path / "deploy"
    path.write_text("my own key\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="another key than STAGING_DEPLOY_SSH_KEY"):
        install_key(path, key, variable="STAGING_DEPLOY_SSH_KEY")
    assert path.read_text(encoding="utf-8") == "my own key\n"


def test_what_is_no_key_leaves_nothing(tmp_path: Path) -> None:
    """A value that OpenSSH cannot read is refused by the variable's name, without the value."""
    with pytest.raises(SettingsError, match="STAGING_DEPLOY_SSH_KEY is not a private SSH key") as caught:
        install_key(tmp_path / "deploy", "hunter2-not-a-key", variable="STAGING_DEPLOY_SSH_KEY")
    assert "hunter2" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
