"""A made-up checkout and user, so that no test looks at the machine it runs on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.toolchain.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return the folders of a made-up checkout with a pinned module for each tool."""
    checkout = tmp_path / "checkout"
    for name in ("pulumi", "language-python", "k6", "trivy", "docker-build"):
        module = checkout / "infra" / "toolchain" / "modules" / name
        module.mkdir(parents=True)
        (module / "go.mod").write_text(f"module acp.example/toolchain/{name}\n")
        (module / "go.sum").write_text("pinned\n")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "pyvenv.cfg").touch()
    return Places(checkout=checkout, cache=tmp_path / "cache", pulumi_home=tmp_path / "pulumi")


@pytest.fixture
def command() -> Callable[[Path, str], Path]:
    """Return a function that writes a program which prints one text."""

    def write(path: Path, prints: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{prints}'\n")
        path.chmod(0o755)
        return path

    return write
