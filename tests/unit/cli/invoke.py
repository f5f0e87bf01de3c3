"""Runs `acp-release` within the test's process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from infra.cli.main import main

if TYPE_CHECKING:
    from click.testing import Result


def call(*arguments: str) -> Result:
    """Return how the command went; what it did not expect is raised."""
    return CliRunner(catch_exceptions=False).invoke(main, list(arguments))
