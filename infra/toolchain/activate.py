"""What activating the virtual environment sets besides PATH."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = "# >>> acp-release >>>"
END = "# <<< acp-release <<<"


def hook(checkout: Path) -> str:
    """Return the lines that activation runs: settings of Pulumi, none of which overrides one that is there.

    A passphrase file set by another checkout's hook is taken back first, so that switching never mixes two.
    """
    passphrase = shlex.quote(str(checkout / ".lab" / "passphrase"))
    return "\n".join(
        (
            BEGIN,
            "# Written by set-up (infra/toolchain/activate.py); edit that instead.",
            'if [ -n "${_ACP_RELEASE_PASSPHRASE-}" ]; then',
            "    unset PULUMI_CONFIG_PASSPHRASE_FILE _ACP_RELEASE_PASSPHRASE",
            "fi",
            'if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE+set}" ]; then',
            f"    export PULUMI_CONFIG_PASSPHRASE_FILE={passphrase}",
            "    _ACP_RELEASE_PASSPHRASE=set",
            "fi",
            'export PULUMI_SKIP_UPDATE_CHECK="${PULUMI_SKIP_UPDATE_CHECK-true}"',
            "# After a failed update Pulumi lists every old output below the reason; `acp-release status` shows them.",
            'export PULUMI_OPTION_SUPPRESS_OUTPUTS="${PULUMI_OPTION_SUPPRESS_OUTPUTS-true}"',
            END,
            "",
        )
    )


def hooked(script: str, lines: str) -> str:
    """Return the activation `script` with `lines` as its hook, in place of an older one."""
    before, begin, rest = script.partition(BEGIN)
    after = rest.partition(END)[2].lstrip("\n") if begin else ""
    return before.rstrip("\n") + "\n\n" + lines + after


def write(venv: Path, checkout: Path) -> None:
    """Put the hook into the activation script of `venv`, unless it is there already."""
    script = venv / "bin" / "activate"
    old = script.read_text()
    new = hooked(old, hook(checkout))
    if new != old:
        fresh = script.with_name(f".activate.{os.getpid()}")
        fresh.write_text(new)
        fresh.replace(script)
