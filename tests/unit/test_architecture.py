from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

import pytest

from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INFRA = PROJECT_ROOT / "infra"
MODULES = sorted(INFRA.rglob("*.py"))
LONGEST_FILE = 400

LAYERS: dict[str, set[str]] = {
    "domain": {"domain", "settings"},
    "settings": {"settings", "domain", "errors", "paths", "lab"},
    "adapters": {"adapters", "domain", "settings", "errors", "paths", "toolchain"},
    "checks": {"checks", "reports", "adapters", "domain", "settings", "errors", "paths", "hostctl"},
    "audit": {"audit", "adapters", "domain", "settings", "errors", "paths"},
    "reports": {"reports", "domain", "errors", "paths"},
    "rollout": {"rollout", "audit", "reports", "checks", "adapters", "domain", "settings", "errors", "paths"},
    "notify": {"notify", "rollout", "adapters", "domain", "settings", "errors", "paths"},
    "components": {"components", "notify", "rollout", "checks", "adapters", "domain", "settings", "errors", "paths"},
    "docs_pages": {"docs_pages", "domain"},
    "cli": {
        "cli",
        "docs_pages",
        "audit",
        "notify",
        "rollout",
        "reports",
        "checks",
        "adapters",
        "domain",
        "settings",
        "errors",
        "paths",
        "lab",
        "toolchain",
        "image_build",
    },
    "image_build": {"components", "checks", "domain", "settings", "errors", "sources"},
    "lab": {"lab", "adapters", "errors", "paths", "toolchain"},
    "toolchain": {"toolchain"},
    "hostctl": {"hostctl"},
    "policy": {"policy"},
    "workflows": {"workflows", "settings", "paths"},
    "errors": set(),
    "paths": set(),
}
"""What each part of the package may import at run time; what is not named may be imported by nobody but the program."""

PURE = {"__future__", "base64", "bisect", "collections", "copy", "dataclasses", "datetime", "difflib", "enum",
        "hashlib", "hmac", "itertools", "json", "math", "re", "statistics", "types", "typing",
        "urllib.parse"}  # fmt: skip
"""The standard library that touches nothing outside the process; all else is I/O, a clock or chance."""


def imports(path: Path, *, at_run_time: bool = True) -> Iterator[str]:
    """Yield the modules that a file imports; those only for type checking on demand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = path.relative_to(PROJECT_ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if at_run_time and id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module)
        elif isinstance(node, ast.ImportFrom):
            yield ".".join((*package[: len(package) - node.level + 1], node.module or "")).rstrip(".")


def part_of(module: str) -> str:
    """Return the part of the package that `infra.<part>…` belongs to."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("part", LAYERS)
def test_dependencies_point_one_way(part: str) -> None:
    """Each part imports only what stands below it."""
    files = [INFRA / f"{part}.py"] if (INFRA / f"{part}.py").exists() else sorted((INFRA / part).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(PROJECT_ROOT)} imports {module}"
        for path in files
        for module in imports(path)
        if module.split(".")[0] == "infra" and part_of(module) not in LAYERS[part]
    ]
    assert wrong == []


def test_every_part_has_its_place() -> None:
    """A new folder says what it may import."""
    parts = {path.name for path in INFRA.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert parts - set(LAYERS) == set()


def test_the_rules_are_pure() -> None:
    """`domain` imports neither Pulumi nor anything that reads a file, a clock, the network or chance."""
    wrong = [
        f"{path.name} imports {module}"
        for path in sorted((INFRA / "domain").rglob("*.py"))
        for module in imports(path)
        if module.split(".")[0] != "infra" and module not in PURE and module.split(".")[0] not in PURE
    ]
    assert wrong == []


def test_the_rules_use_no_clock() -> None:
    """`domain` asks no clock, not even through a pure module: the moment is an argument."""
    clocks = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today)\(")
    assert [path.name for path in (INFRA / "domain").rglob("*.py") if clocks.search(path.read_text("utf-8"))] == []


def test_the_host_agent_needs_python_only() -> None:
    """The host agent runs on hosts without our packages: standard library and itself."""
    wrong = [
        f"{path.name} imports {module}"
        for path in sorted((INFRA / "hostctl").rglob("*.py"))
        for module in imports(path, at_run_time=False)
        if module.split(".")[0] not in sys.stdlib_module_names and not module.startswith("infra.hostctl")
    ]
    assert wrong == []


def test_settings_and_rules_do_not_know_pulumi() -> None:
    """Only the program, its components and the base error import the Pulumi SDK."""
    allowed = {
        "components",
        "image_build",
        "release",
        "program",
        "sources",
        "host_plan",
        "errors",
        "toolchain",
        "policy",
    }
    wrong = [
        f"{path.relative_to(PROJECT_ROOT)}"
        for path in MODULES
        if any(module.split(".")[0].startswith("pulumi") for module in imports(path))
        and path.relative_to(INFRA).with_suffix("").parts[0] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_a_file_is_one_concept(path: Path) -> None:
    """No module is longer than 400 lines, each says what it is for, and nothing is left to be done later."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    assert ast.get_docstring(ast.parse(text)), "has no docstring"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


def test_no_shell_runs_a_text() -> None:
    """No program is started through a shell."""
    wrong = [
        f"{path.relative_to(PROJECT_ROOT)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and (
            any(keyword.arg == "shell" for keyword in node.keywords)
            or ast.unparse(node.func) in {"os.system", "os.popen", "subprocess.getoutput"}
        )
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for folder in (
            "settings",
            "domain",
            "rollout",
            "checks",
            "adapters",
            "cli",
            "components",
            "notify",
            "docs_pages",
        )
        for path in (PROJECT_ROOT / "tests" / "unit" / folder).rglob("test_*.py")
    ),
    ids=lambda path: str(path.relative_to(PROJECT_ROOT / "tests")),
)
def test_every_test_says_what_must_be_true(path: Path) -> None:
    """Each test has a docstring of one sentence, and none sleeps."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert tests
    assert [test.name for test in tests if not ast.get_docstring(test)] == []
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call for call in calls if ast.unparse(call) in {"time.sleep", "sleep", "asyncio.sleep"}] == []
