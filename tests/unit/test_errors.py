"""Errors where Pulumi runs, and where it does not."""

from __future__ import annotations

import pytest

from tests.support.fresh_python import printed

IS_PULUMIS = "import pulumi, infra.errors; print(issubclass(infra.errors.GateError, pulumi.RunError))"


@pytest.mark.parametrize("first", ["pulumi", "infra.program", "infra.components.gate", "infra.components.record"])
def test_the_engine_prints_them_as_messages(first: str) -> None:
    """The program and its dynamic provider load Pulumi before anything that raises them."""
    assert printed(f"import {first}; {IS_PULUMIS}") == "True"


@pytest.mark.parametrize("command", ["status", "check", "history", "rollback", "doctor"])
def test_a_command_does_not_wait_for_pulumi(command: str) -> None:
    """To load it would take longer than all the rest of most commands."""
    code = f"from infra.cli.main import main; main([{command!r}, '--help'], standalone_mode=False)"
    assert printed(f"import sys; {code}; print('pulumi' in sys.modules)").splitlines()[-1] == "False"
