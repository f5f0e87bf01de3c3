from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODULES = sorted((PROJECT_ROOT / "infra").rglob("*.py"))
COMMAND = re.compile(r"`((?:acp-release|pulumi) [^`]*)`")
STACKLESS = re.compile(r"acp-release (doctor|lab|setup-github)\b")
EXPLAINING = {"help", "description", "epilog", "short_help"}
STATEMENTS = ("`pulumi up` says why", "# After a failed update")
"""Texts that name a command and do not ask for it."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts that a program may show, a value in one as `…`; neither docstrings nor help of options."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) or (isinstance(node, ast.keyword) and node.arg in EXPLAINING):
            skipped |= {id(inner) for inner in ast.walk(node) if _is_text(node.value)}
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            if id(node) not in skipped:
                yield "".join(_shown(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr | ast.Constant)


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    is_stack = isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "STACK"
    return "--stack STACK" if is_stack else "…"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_a_command_in_a_mend_can_be_typed(path: Path) -> None:
    """What a text asks for in backticks names its stack: without it a command is refused, or takes another one."""
    wrong = [
        command
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
        for command in COMMAND.findall(text)
        if "--stack" not in command and not STACKLESS.match(command)
        and not any(statement in text for statement in STATEMENTS)
    ]  # fmt: skip
    assert wrong == []
