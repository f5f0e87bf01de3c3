from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from infra.toolchain import go_build
from infra.toolchain.versions import GoTool

TOOL = GoTool(
    name="k6",
    version="1.8.1",
    executable="k6",
    package="go.k6.io/k6",
    about_seconds=1,
    ldflags="-X a.b=1",
    env={"GOEXPERIMENT": "jsonv2"},
)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """Return a folder with a pinned module."""
    folder = tmp_path / "k6"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n")
    (folder / "go.sum").write_text("sum\n")
    return folder


def test_an_estimate_does_not_lead_to_a_build(module: Path) -> None:
    """What only the progress lines show has no part in the key."""
    other = dataclasses.replace(TOOL, about_seconds=99)
    assert go_build.cache_key(other, module.parent) == go_build.cache_key(TOOL, module.parent)


def test_a_parts_pins_count(module: Path) -> None:
    """A tool is built again when a part of it is pinned anew."""
    part = module.parent / "part"
    part.mkdir()
    (part / "go.sum").write_text("one\n")
    whole = dataclasses.replace(TOOL, parts=(dataclasses.replace(TOOL, name="part"),))
    before = go_build.cache_key(whole, module.parent)
    (part / "go.sum").write_text("two\n")
    assert go_build.cache_key(whole, module.parent) != before


def test_build_command() -> None:
    """A build takes nothing that go.sum does not pin and puts the executable into the folder it is given."""
    assert go_build.build_argv("/go", TOOL, Path("/t/bin")) == [
        *("/go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false"),
        *("-ldflags", "-s -w -X a.b=1", "-o", "/t/bin/k6", "go.k6.io/k6"),
    ]


def test_sources_are_fetched_as_they_are_built() -> None:
    """Fetching ahead takes the sources of the one package, by the same pins."""
    assert go_build.prefetch_argv("/go", TOOL) == ["/go", "list", "-mod=readonly", "-deps", "go.k6.io/k6"]


def test_environment_keeps_the_machines_proxy() -> None:
    """The machine's own Go settings stay, the tool's own come on top."""
    env = go_build.environment({"GOPROXY": "https://proxy.example"}, TOOL, memory_bytes=4 * 1024**3)
    assert env == {
        "GOPROXY": "https://proxy.example",
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOEXPERIMENT": "jsonv2",
    }


def test_roomy_machine_collects_less_garbage() -> None:
    """With memory to spare the compiler spends less time on garbage, unless the user set how much."""
    assert go_build.environment({}, TOOL, memory_bytes=16 * 1024**3)["GOGC"] == "400"
    assert go_build.environment({"GOGC": "50"}, TOOL, memory_bytes=16 * 1024**3)["GOGC"] == "50"


def test_same_sources_have_the_same_key(module: Path) -> None:
    """A second checkout with the same pins finds what the first one built."""
    assert go_build.cache_key(TOOL, module.parent) == go_build.cache_key(TOOL, module.parent)
    assert go_build.cache_key(TOOL, module.parent).startswith("1.8.1-")


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "stubs/java/package_info.go"])
def test_another_source_has_another_key(module: Path, name: str) -> None:
    """A change of the pins or of a local stand-in module leads to a new build."""
    before = go_build.cache_key(TOOL, module.parent)
    (module / name).parent.mkdir(parents=True, exist_ok=True)
    (module / name).write_text("another\n")
    assert go_build.cache_key(TOOL, module.parent) != before
