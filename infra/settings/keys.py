"""Which variables hold the private SSH keys of a stack, and the files they belong in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.settings.model import Settings

SETUP, DEPLOY, RELEASE = "SETUP_SSH_KEY", "DEPLOY_SSH_KEY", "RELEASE_SSH_KEY"


def key_files(settings: Settings) -> dict[str, str]:
    """Return the file of each key by the variable that has it; the release key only where releases are signed."""
    prefix, signing = settings.secrets.prefix, settings.gate.signing
    files = {prefix + SETUP: settings.ssh.setup_key_file, prefix + DEPLOY: settings.ssh.deploy_key_file}
    return {**files, **({prefix + RELEASE: signing.release_key_file} if signing else {})}
