"""What stands for the actions that the workflows use, by name; each holds the step to what the action asks of it."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from infra.toolchain.ci import announce
from infra.toolchain.places import Places
from tests.support.workflow.job import StepFailedError
from tests.support.world import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.workflow.job import Equivalent, Job

SET_UP = "make set-up"
SARIF_VERSION = "2.1.0"


def equivalents(
    artifacts: Path, check_out: Callable[[Path], None], places: Places | None = None
) -> dict[str, Equivalent]:
    """Return the equivalents of one run, whose artifacts lie in `artifacts`; `places` is what set-up leads to."""
    store = Artifacts(artifacts)
    return {
        "actions/checkout": lambda job, given: checkout(job, given, check_out),
        "actions/setup-go": setup_go,
        "sigstore/cosign-installer": install_cosign,
        "actions/upload-artifact": store.upload,
        "actions/download-artifact": store.download,
        "github/codeql-action/upload-sarif": upload_sarif,
        SET_UP: lambda job, given: set_up(job, places or installed()),
    }


def installed() -> Places:
    """Return where this checkout's set-up put the tools."""
    return Places(checkout=CHECKOUT, cache=CHECKOUT, pulumi_home=CHECKOUT)


def checkout(job: Job, given: Mapping[str, str], check_out: Callable[[Path], None]) -> str:
    """Fill the workspace; versions need the whole history."""
    if given.get("fetch-depth") != "0" or given.get("persist-credentials") != "false":
        raise StepFailedError("the checkout must have its history and not its token")
    check_out(job.workspace)
    return "checked out"


def setup_go(job: Job, given: Mapping[str, str]) -> str:
    """Go is on this machine; the version must be the one that set-up asks for."""
    return f"go {given['go-version']}"


def install_cosign(job: Job, given: Mapping[str, str]) -> str:
    """Put this machine's cosign on the job's PATH, where it has one."""
    folder, found = job.folder / "cosign", shutil.which("cosign")
    folder.mkdir()
    if found:
        (folder / "cosign").symlink_to(found)
    job.environment["PATH"] = f"{folder}{os.pathsep}{job.environment['PATH']}"
    return str(found)


def set_up(job: Job, places: Places) -> str:
    """Activate what set-up installed on this machine, through set-up's own announcement to a runner.

    On a runner the virtual environment has the workspace's sources; here it is another checkout's.
    """
    files = {name: job.folder / "files" / name for name in ("GITHUB_PATH", "GITHUB_ENV")}
    if not (job.workspace / "Makefile").exists():
        raise StepFailedError("make: there is no Makefile: nothing was checked out")
    job.environment["PYTHONPATH"] = str(job.workspace) if (job.workspace / "infra").exists() else str(CHECKOUT)
    announce(places, {name: str(path) for name, path in files.items()})
    return "everything is ready"


def upload_sarif(job: Job, given: Mapping[str, str]) -> str:
    """Refuse what code scanning would refuse."""
    files = sorted((job.workspace / given["sarif_file"]).rglob("*.sarif"))
    if not files:
        raise StepFailedError("there is no SARIF")
    for path in files:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != SARIF_VERSION or not document["runs"][0]["automationDetails"]["id"]:
            raise StepFailedError(f"{path.name} is not fit for code scanning")
    return f"{len(files)} files"


class Artifacts:
    """What jobs hand to each other; a name can be used once, and never changed."""

    def __init__(self, folder: Path) -> None:
        """Keep them in `folder`."""
        self._folder = folder

    def upload(self, job: Job, given: Mapping[str, str]) -> str:
        """Keep a file or the content of a folder."""
        source, target = job.workspace / given["path"], self._folder / given["name"]
        if target.exists():
            raise StepFailedError(f"there is an artifact {given['name']} already")
        if not source.exists():
            if given.get("if-no-files-found") == "error":
                raise StepFailedError(f"{given['path']} is not there")
            return "no files"
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.mkdir(parents=True)
            shutil.copy(source, target / source.name)
        return f"kept {given['name']}"

    def download(self, job: Job, given: Mapping[str, str]) -> str:
        """Lay an artifact into the workspace."""
        source = self._folder / given["name"]
        if not source.exists():
            raise StepFailedError(f"there is no artifact {given['name']}")
        shutil.copytree(source, job.workspace / given["path"], dirs_exist_ok=True)
        return f"fetched {given['name']}"
