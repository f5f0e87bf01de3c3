from __future__ import annotations

from typing import TYPE_CHECKING

from infra.components import build_failure
from infra.components.build_failure import build_command, last_words, why_not_built
from infra.settings.model import Image

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

IMAGE = Image(context="app", dockerfile="app/Dockerfile", build_args={"FLAVOUR": "plain"}, target="intake")
TAG = "registry.test:5000/acp/intake:v7"
FAILED = """\
#5 [common 2/7] RUN pip install fastapi
#5 0.452 /bin/sh: 1: pip: not found
#5 ERROR: executor failed running [/bin/sh -c pip install fastapi]: exit code: 127
------
 > [common 2/7] RUN pip install fastapi:
0.452 /bin/sh: 1: pip: not found
------
ERROR: failed to solve: executor failed running [/bin/sh -c pip install fastapi]: exit code: 127
"""


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, *, says: str, status: int) -> None:
    """Put a `docker` on the PATH that says `says` and ends with `status`."""
    folder.mkdir()
    (folder / "said").write_text(says)
    (folder / "docker").write_text(
        f'#!/bin/sh\necho "$@" > {folder}/asked\n/bin/cat {folder}/said >&2\nexit {status}\n'
    )
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_it_is_the_same_build_without_a_push(tmp_path: Path) -> None:
    """Stage, arguments, platform and paths are those of the image; nothing is kept and no login is needed."""
    command = " ".join(build_command(IMAGE, tmp_path))
    assert "--platform linux/amd64 --output type=cacheonly --build-arg FLAVOUR=plain --target intake" in command
    assert command.endswith(f"--file {tmp_path}/app/Dockerfile {tmp_path}/app")
    assert "--push" not in command
    assert "--target" not in build_command(IMAGE.model_copy(update={"target": None}), tmp_path)


def test_a_build_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failed step, its own words and the error are shown, with the image's name and the mend."""
    docker(tmp_path / "bin", monkeypatch, says=FAILED, status=1)
    told = why_not_built("intake", IMAGE, tmp_path, TAG)
    assert told.startswith("acp:images.intake was not built from app/Dockerfile (stage intake):\n")
    assert "    > [common 2/7] RUN pip install fastapi:\n    0.452 /bin/sh: 1: pip: not found\n" in told
    assert "  mend:  correct the Dockerfile" in told
    assert "#5" not in told


def test_a_build_that_succeeds_was_not_pushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be built alone was refused by the registry."""
    docker(tmp_path / "bin", monkeypatch, says="#9 DONE 0.1s\n", status=0)
    told = why_not_built("intake", IMAGE, tmp_path, TAG)
    assert told.startswith(
        f"acp:images.intake is built, and pushing it as {TAG} failed\n  mend:  see that the registry"
    )


def test_without_docker_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking why may fail as well, which is said beside the first failure."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "acp:images.intake was not built, and asking why failed: " in why_not_built("intake", IMAGE, tmp_path, TAG)


def test_only_the_end_is_shown() -> None:
    """Of a long output the last lines count, of one without a reason the last steps."""
    assert last_words("\n".join(f"line {number}" for number in range(40)))[0] == f"line {40 - build_failure.SAID_LINES}"
    assert last_words("#1 only\n\n") == ["#1 only"]
