from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import go_tools, vendor
from infra.toolchain.errors import SetupError
from infra.toolchain.go_tools import Tool, publish
from infra.toolchain.progress import Progress
from infra.toolchain.versions import GO_TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.places import Places

PINNED = {tool.name: tool for tool in GO_TOOLS}


@pytest.fixture(autouse=True)
def _closed_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No vendor can be reached, and nothing on PATH is a tool."""
    monkeypatch.setenv(vendor.SWITCH, "never")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    vendor.reachable.cache_clear()


def complete(tool: Tool) -> Path:
    """Put a finished build of `tool` into the cache."""
    bin_folder = tool.built / "bin"
    bin_folder.mkdir(parents=True)
    for name in tool.tool.executables:
        (bin_folder / name).touch(mode=0o755)
    (tool.built / "complete").touch()
    return bin_folder


@pytest.mark.parametrize(
    ("name", "prints", "taken"),
    [
        ("k6", "k6 v1.8.1 (go1.26)", True),
        ("k6", "k6 v1.9.0", False),
        ("k6", "k6 v1.8.0", False),
        ("k6", "k6 v2.0.0", False),
        ("trivy", "Version: 0.74.0", True),
        ("trivy", "Version: 0.74.1", False),
    ],
)
def test_tool_on_path(
    name: str,
    prints: str,
    *,
    taken: bool,
    places: Places,
    tmp_path: Path,
    command: Callable[[Path, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A tool on PATH is taken when its version fits; the one whose findings depend on it only when it is the same."""
    command(tmp_path / "found" / name, prints)
    monkeypatch.setenv("PATH", f"{tmp_path / 'found'}:/usr/bin:/bin")
    found = Tool(tool=PINNED[name], places=places).on_path()
    assert (found == tmp_path / "found") is taken


def test_another_checkouts_environment_is_no_source(
    places: Places, tmp_path: Path, command: Callable[[Path, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an active virtual environment shows is not taken for a tool of the machine."""
    command(tmp_path / "other" / "bin" / "k6", "k6 v1.8.1")
    (tmp_path / "other" / "pyvenv.cfg").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'other' / 'bin'}:/usr/bin:/bin")
    assert Tool(tool=PINNED["k6"], places=places).on_path() is None


def test_language_host_comes_with_its_engine(
    places: Places, tmp_path: Path, command: Callable[[Path, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Pulumi on PATH is taken only with its language host and the host's own files beside it."""
    pulumi = Tool(tool=PINNED["pulumi"], places=places)
    command(tmp_path / "found" / "pulumi", "v3.259.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'found'}:/usr/bin:/bin")
    assert pulumi.on_path() is None
    for name in pulumi.tool.executables[1:]:
        command(tmp_path / "found" / name, "")
    assert pulumi.on_path() == tmp_path / "found"


def test_a_build_without_its_end_mark_does_not_count(places: Places) -> None:
    """Half a build, left by a kill, is not taken for the tool."""
    tool = Tool(tool=PINNED["k6"], places=places)
    (complete(tool).parent / "complete").unlink()
    assert tool.cached() is None


def test_link_shows_the_tool_and_takes_it_back(places: Places) -> None:
    """Every executable is linked into the environment, and a link without a tool behind it is removed."""
    tool = Tool(tool=PINNED["pulumi"], places=places)
    bin_folder = complete(tool)
    tool.link()
    tool.link()
    shown = places.bin / "pulumi-language-python-exec"
    assert shown.readlink() == bin_folder / "pulumi-language-python-exec"
    assert tool.state().ready
    (tool.built / "complete").unlink()
    tool.link()
    assert not shown.is_symlink()


def test_build_is_published_whole(
    places: Places, tmp_path: Path, command: Callable[[Path, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build ends in the cache, its leftovers of an earlier kill are gone, and a second `apply` builds nothing."""
    tool = Tool(tool=PINNED["k6"], places=places)
    go = tmp_path / "go" / "go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\n[ "$1" = env ] && { echo go1.26.0; exit; }\necho "$@" >> "$0.log"\n'
        'while [ "$1" != -o ]; do shift; done\nmkdir -p "$(dirname "$2")" && touch "$2"\n'
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    left = tool.built.parent / ".partial-left"
    left.mkdir(parents=True)
    with Path(os.devnull).open("w") as sink:
        tool.apply(Progress(stream=sink))
        tool.apply(Progress(stream=sink))
    assert tool.cached() == tool.built
    assert (tool.built / "bin" / "k6").exists()
    assert not left.exists()
    assert len((go.parent / "go.log").read_text().splitlines()) == 1


def test_no_go_and_no_tool_names_the_mend(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Go the error names the tool, what is missing, and what to install."""
    monkeypatch.setattr(go_tools, "find_go", lambda: None)
    tool = Tool(tool=PINNED["k6"], places=places)
    with (
        Path(os.devnull).open("w") as sink,
        pytest.raises(SetupError, match=r"k6 1\.8\.1 .* Go is not installed") as caught,
    ):
        tool.apply(Progress(stream=sink))
    assert "install Go 1.26" in caught.value.mend
    assert not tool.state().ready


def test_publish_replaces_what_an_older_run_left(tmp_path: Path) -> None:
    """A place that is taken by an incomplete build is taken over."""
    partial, place = tmp_path / "partial", tmp_path / "place"
    partial.mkdir()
    place.mkdir()
    (place / "old").touch()
    publish(partial, place)
    assert [path.name for path in place.iterdir()] == ["complete"]


def test_lock_lives_as_long_as_a_build_that_outlives_its_parent(tmp_path: Path) -> None:
    """The lock is free once nobody holds its descriptor, and not before: a child that was handed it keeps it."""
    script = (
        "import subprocess, sys, os\n"
        "from pathlib import Path\n"
        "from infra.toolchain.lock import exclusive, held\n"
        "with exclusive(Path(sys.argv[1]), on_wait=lambda pid: print(pid, flush=True)):\n"
        "    child = subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=2, pass_fds=held())\n"
        "    print(child.pid, flush=True)\n"
        "    os.read(0, 1)\n"
        "    os._exit(9)\n"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "lock")]
    first = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdin is not None
    with first:
        assert int(first.stdout.readline()) > 0
        second = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with second:
            assert second.stdout is not None
            assert second.stdout.readline().strip() == str(first.pid)
            first.communicate("x")  # the parent dies; its child reads an end of file and dies too: the lock is free
            assert int(second.stdout.readline()) > 0
            second.communicate("x")


def test_every_field_of_a_tool_counts_for_its_place(places: Places) -> None:
    """Another linker flag means another place in the cache."""
    plain = Tool(tool=PINNED["k6"], places=places)
    other = Tool(tool=dataclasses.replace(PINNED["k6"], ldflags="-X a=b"), places=places)
    assert plain.built != other.built
