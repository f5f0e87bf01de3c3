"""Where Pulumi keeps its state, and the files in it: a folder, or a bucket that speaks S3."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import yaml

from infra.adapters.bucket import BucketStore
from infra.adapters.process import run
from infra.errors import ToolError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BACKEND_VARIABLE = "PULUMI_BACKEND_URL"
FOLDER_SCHEME = "file://"
BUCKET_SCHEME = "s3://"
WHOAMI_SECONDS = 30.0
READERS = 16


class Store(Protocol):
    """The files of a backend, by their path below its root."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in `folder`; none when there is no such folder."""

    def read(self, path: str) -> bytes:
        """Return one file; raise `ToolError` when it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStore:
    """A backend in a folder of this machine."""

    root: Path

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in `folder`."""
        try:
            with os.scandir(self.root / folder) as entries:
                return [entry.name for entry in entries]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ToolError(f"the backend's folder cannot be read: {error.strerror}", where=folder) from None

    def read(self, path: str) -> bytes:
        """Return one file."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise ToolError(f"a file of the backend cannot be read: {error.strerror}", where=path) from None


def backend_url(environ: Mapping[str, str], root: Path = PROJECT_ROOT) -> str:
    """Return the backend's address as Pulumi finds it: environment, project file, login; a folder's is absolute."""
    if environ.get(BACKEND_VARIABLE):
        return _absolute(environ[BACKEND_VARIABLE], Path.cwd())
    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8")) or {}
    url = (project.get("backend") or {}).get("url")
    if url:
        return _absolute(str(url), root)
    shown = run(["pulumi", "whoami", "--json", "--cwd", str(root)], timeout_seconds=WHOAMI_SECONDS)
    return str(json.loads(shown.stdout).get("url") or "")


def project_name(root: Path = PROJECT_ROOT) -> str:
    """Return the name of the Pulumi project."""
    return str(yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))["name"])


def open_store(url: str) -> Store | None:
    """Return the files of the backend, or None where only the `pulumi` command can ask it."""
    if url.startswith(FOLDER_SCHEME):
        return FolderStore(root=Path(url.removeprefix(FOLDER_SCHEME)))
    if url.startswith(BUCKET_SCHEME):
        return BucketStore.open(url)
    return None


def read_all(store: Store, paths: Iterable[str]) -> Iterator[bytes]:
    """Yield the files in order, several read at once."""
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        yield from pool.map(store.read, paths)


def _absolute(url: str, base: Path) -> str:
    """Return a folder's address with its whole path."""
    if not url.startswith(FOLDER_SCHEME):
        return url
    return FOLDER_SCHEME + str((base / Path(url.removeprefix(FOLDER_SCHEME)).expanduser()).resolve())
