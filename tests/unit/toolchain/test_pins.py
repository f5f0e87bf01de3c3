from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import lint, relock
from infra.toolchain.plugins import stage
from infra.toolchain.provider_plugins import all_plugins
from infra.toolchain.version_text import fits, parse
from infra.toolchain.versions import GO_TOOLS, PULUMI, GoTool

if TYPE_CHECKING:
    from infra.toolchain.places import Places

REPOSITORY = Path(__file__).resolve().parents[3]
MODULES = REPOSITORY / "infra" / "toolchain" / "modules"
REQUIREMENTS = REPOSITORY / "requirements"
PARTS = [part for tool in GO_TOOLS for part in tool.together]
LOCKS = [REQUIREMENTS / "runtime.txt", REQUIREMENTS / "dev.txt"]


@pytest.mark.parametrize(
    "tool", [part for tool in GO_TOOLS for part in tool.together if part.package != "."], ids=lambda tool: tool.name
)
def test_module_pins_the_tools_version(tool: GoTool) -> None:
    """The Go module that a tool is built from requires exactly the version that the tool is said to have."""
    required = re.findall(r"^\s*(\S+) v(\S+)", (MODULES / tool.name / "go.mod").read_text(), flags=re.MULTILINE)
    owner = max((name for name, _ in required if tool.package.startswith(name)), key=len)
    assert dict(required)[owner] == tool.version


@pytest.mark.parametrize("tool", PARTS, ids=lambda tool: tool.name)
def test_module_has_its_sums(tool: GoTool) -> None:
    """Every module, one with a program of ours too, pins the hash of each source."""
    assert (MODULES / tool.name / "go.sum").stat().st_size > 0


def test_python_and_engine_are_the_same_pulumi() -> None:
    """The SDK in the lock has the version of the engine, and each plugin that of its SDK."""
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCKS[0].read_text(), flags=re.MULTILINE))
    assert locked["pulumi"] == PULUMI
    for name, version in stage.VERSIONS.items():
        assert locked[f"pulumi-{name}"] == version
    for tool in GO_TOOLS:
        if tool.plugin:
            assert locked[f"pulumi-{tool.name}"] == tool.version


def test_every_provider_has_a_plugin(places: Places) -> None:
    """Set-up installs a plugin for each provider whose SDK is required."""
    required = (REQUIREMENTS / "runtime.in").read_text()
    sdks = re.findall(r"^pulumi-([a-z-]+)==(\S+)", required, flags=re.MULTILINE)
    assert sorted((plugin.plugin, plugin.version) for plugin in all_plugins(places)) == sorted(sdks)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_locks_are_hashed_and_name_no_index(lock: Path) -> None:
    """Every requirement has a hash, and nothing tells where the lock was made."""
    text = lock.read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index" not in text


def test_locks_agree() -> None:
    """Tests run against the versions that a release runs with."""
    runtime, dev = (set(re.findall(r"^\S+==\S+", lock.read_text(), flags=re.MULTILINE)) for lock in LOCKS)
    assert runtime <= dev


def test_lock_command() -> None:
    """A lock keeps its versions unless an upgrade is asked for."""
    argv = relock.lock_argv("dev", ["--constraints", "requirements/runtime.txt"], upgrade=False)
    assert argv[:3] == ["uv", "pip", "compile"]
    assert argv[-3:] == ["requirements/dev.in", "--output-file", "requirements/dev.txt"]
    assert "--generate-hashes" in argv
    assert "--upgrade" not in argv
    assert "--upgrade" in relock.lock_argv("dev", [], upgrade=True)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.259.0", (3, 259, 0)),
        ("Docker Compose version 2.26.1-4", (2, 26, 1)),
        ("go1.26.8", (1, 26, 8)),
        ("no", None),
    ],
)
def test_version_in_a_text(text: str, version: tuple[int, ...] | None) -> None:
    """The first dotted number is the version."""
    assert parse(text) == version


def test_version_fits() -> None:
    """A newer one of the same major version does, unless exactly one is asked for."""
    assert fits((3, 260, 0), (3, 259, 0), exact=False)
    assert not fits((3, 260, 0), (3, 259, 0), exact=True)
    assert not fits((4, 0, 0), (3, 259, 0), exact=False)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("infra/lab/images/host/Dockerfile", lint.is_dockerfile),
        ("compose/reference/ingest.Dockerfile", lint.is_dockerfile),
        ("compose/app.yaml", lint.is_compose),
        (".github/workflows/release.yml", lint.is_workflow),
    ],
)
def test_each_file_gets_its_check(path: str, kind: object) -> None:
    """A file is given to the check that is for it and to no other."""
    kinds = [lint.is_dockerfile, lint.is_compose, lint.is_workflow]
    assert [known for known in kinds if known(Path(path))] == [kind]


def test_shell_scripts_are_told_by_their_first_line(tmp_path: Path) -> None:
    """A script without a suffix is one by its first line."""
    script, other = tmp_path / "run", tmp_path / "data"
    script.write_text("#!/bin/sh\n")
    other.write_text("#!/usr/bin/env python3\n")
    assert lint.is_shell(script)
    assert not lint.is_shell(other)


def test_check_without_files_is_not_run() -> None:
    """A check whose kind of file is absent has no command, one that finds its own files always has."""
    check = lint.Check(argv=("hadolint",), takes=lint.is_dockerfile)
    assert check.command([Path("README.md")]) is None
    assert check.command([Path("Dockerfile"), Path("README.md")]) == ["hadolint", "Dockerfile"]
    assert lint.Check(argv=("mypy",)).command([]) == ["mypy"]


def test_all_checks_run_and_the_failed_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A failing check does not hide the next, and its findings are shown."""
    checks = [lint.Check(argv=("sh", "-c", "echo found; exit 1")), lint.Check(argv=("true",))]
    assert lint.run(checks, tmp_path) == ["sh -c"]
    assert capfd.readouterr().out.splitlines() == ["lint: sh -c: FAILED", "found", "", "lint: true: ok"]


def test_every_target_of_make_is_explained() -> None:
    """`make help` has each target that people may call."""
    makefile = (REPOSITORY / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    measured = {"bench", "faults", "mutants"}
    assert explained == {"help", "up", "test", "unit", "images", "lint", "down", "lock", *measured}


def test_make_down_keeps_the_stacks_settings() -> None:
    """Removing the local stack leaves its committed settings file, which Pulumi would delete with it."""
    removals = [line for line in (REPOSITORY / "Makefile").read_text().splitlines() if "pulumi stack rm" in line]
    assert removals
    assert all("--preserve-config" in line for line in removals)
