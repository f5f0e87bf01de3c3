"""The keys that sign on a disposable stack: an SSH key for releases, a cosign key for images."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.adapters.tools import tool
from infra.lab.keys import ensure_key
from infra.lab.seed import derive, read_seed

if TYPE_CHECKING:
    from infra.lab.folder import LabFolder

RELEASE_KEY = "release"
IMAGE_KEY = "cosign"
PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - the name of a secret
MAKE_SECONDS = 60.0


def ensure_signing_keys(folder: LabFolder) -> None:
    """See to both keys; the image key's password is derived from the seed, like every secret of a lab."""
    ensure_key(folder.keys / RELEASE_KEY, "acp-release")
    prefix = folder.keys / IMAGE_KEY
    if prefix.with_suffix(".key").exists() and prefix.with_suffix(".pub").exists():
        return
    for suffix in (".key", ".pub"):
        prefix.with_suffix(suffix).unlink(missing_ok=True)
    password = derive(read_seed(folder.path), PASSWORD)
    run(
        [tool("cosign"), "generate-key-pair", "--output-key-prefix", str(prefix)],
        timeout_seconds=MAKE_SECONDS,
        env={**os.environ, PASSWORD: password},
        redact_values=[password],
    )
