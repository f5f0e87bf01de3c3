"""The updates of a stack as its backend keeps them: one document and one checkpoint each, failed ones too."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.adapters.backend import READERS, backend_url, open_store, project_name, read_all
from infra.adapters.process import run
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from infra.adapters.backend import Store

DOCUMENT = re.compile(r"^(?P<id>.+)\.history\.json(\.gz)?$")
CHECKPOINT = re.compile(r"^(?P<id>.+)\.checkpoint\.json(\.gz)?$")
STAMP = re.compile(r"-(\d{16,})$")
GZIP_MARK = b"\x1f\x8b"
NANOSECONDS = 1_000_000_000
UNREADABLE = "unreadable"
CLI_SECONDS = 120.0
PAGE_SIZE = 100
"""Updates that `pulumi stack history` is asked for at once; by itself it tells the newest 10."""


class UpdateDocument(BaseModel):
    """What Pulumi writes of an update; it has more fields than are used here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: str
    start: int | str = Field(alias="startTime")
    end: int | str = Field(alias="endTime")
    result: str
    message: str = ""
    version: int = 0
    environment: dict[str, str] = Field(default_factory=dict)
    changes: dict[str, int] | None = Field(default=None, alias="resourceChanges")

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return _moment(self.start)

    @property
    def ended_at(self) -> datetime:
        """When it was over."""
        return _moment(self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update: its id is the name of its files, which sorts by time; `digest` is the SHA-256 of its document."""

    id: str
    document: UpdateDocument
    digest: str
    checkpoint_file: str = ""


class StackHistory(Protocol):
    """The updates of one stack."""

    def updates(self, since: str = "") -> list[Update]:
        """Return every update, the oldest first; with `since` that update and the later ones only."""

    def checkpoint(self, update: Update) -> bytes:
        """Return the state that an update left; empty where the backend does not give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHistory:
    """The history in a folder or bucket."""

    store: Store
    folder: str

    def updates(self, since: str = "") -> list[Update]:
        """Return the updates; a checkpoint without a document is one whose document was removed, and is left out."""
        names = self.store.names(self.folder)
        checkpoints = {found["id"]: name for name in names if (found := CHECKPOINT.match(name))}
        found_documents = sorted((found["id"], name) for name in names if (found := DOCUMENT.match(name)))
        documents = [(key, name) for key, name in found_documents if key >= since]
        contents = read_all(self.store, [f"{self.folder}/{name}" for _, name in documents])
        return [
            Update(
                id=key,
                document=_parse(content, key),
                digest=hashlib.sha256(content).hexdigest(),
                checkpoint_file=checkpoints.get(key, ""),
            )
            for (key, _), content in zip(documents, contents, strict=True)
        ]

    def checkpoint(self, update: Update) -> bytes:
        """Return the state that an update left, as it is stored."""
        return self.store.read(f"{self.folder}/{update.checkpoint_file}") if update.checkpoint_file else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldHistory:
    """The history as the `pulumi` command tells it, for a backend whose files cannot be read: Pulumi Cloud."""

    stack: str
    root: Path

    def updates(self, since: str = "") -> list[Update]:
        """Return the updates; the id is the backend's version number."""
        # an update that ends meanwhile moves the last one of a page to the next page: it is told twice
        told = {json.dumps(entry, sort_keys=True).encode(): entry for entry in self._told()}
        updates = [
            Update(
                id=f"{self.stack}-{int(entry.get('version', 0)):08d}",
                document=_parse(content, ""),
                digest=hashlib.sha256(content).hexdigest(),
            )
            for content, entry in told.items()
        ]
        return sorted((update for update in updates if update.id >= since), key=lambda update: update.id)

    def _told(self) -> Iterator[dict[str, Any]]:
        """Yield what is told of every update, the newest first, page by page until one is not full."""
        argv = ["pulumi", "stack", "history", "--json", "--stack", self.stack, "--cwd", str(self.root)]
        for number in count(1):
            paging = ["--page", str(number), "--page-size", str(PAGE_SIZE)]
            page = json.loads(run([*argv, *paging], timeout_seconds=CLI_SECONDS).stdout or "[]")
            yield from page
            if len(page) < PAGE_SIZE:
                return

    def checkpoint(self, update: Update) -> bytes:
        """Return nothing: what an update left is kept there, out of reach of who writes to the stack."""
        del update
        return b""


def open_history(stack: str, environ: Mapping[str, str], root: Path = PROJECT_ROOT) -> StackHistory:
    """Return the history of a stack of this project, wherever its backend is."""
    store = open_store(backend_url(environ, root))
    if store is None:
        return ToldHistory(stack=stack, root=root)
    return StoredHistory(store=store, folder=f".pulumi/history/{project_name(root)}/{stack}")


def checkpoint_digests(history: StackHistory, updates: Sequence[Update]) -> list[str]:
    """Return the SHA-256 of each update's checkpoint, empty for one that is not there; several are read at once."""

    def digest(update: Update) -> str:
        content = history.checkpoint(update)
        return hashlib.sha256(content).hexdigest() if content else ""

    with ThreadPoolExecutor(max_workers=READERS) as pool:
        return list(pool.map(digest, updates))


def find_resource(checkpoint: bytes, name: str) -> dict[str, Any]:
    """Return the resource called `name` in a checkpoint, empty when there is none; only that resource is parsed."""
    content = gzip.decompress(checkpoint) if checkpoint.startswith(GZIP_MARK) else checkpoint
    mark = re.search(rb'"urn":\s*"[^"]*::' + re.escape(name.encode()) + b'"', content)
    if mark is None:
        return {}
    begin = content.rfind(b"{", 0, mark.start())
    try:
        found, _ = json.JSONDecoder().raw_decode(content[begin:].decode(errors="replace"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parse(content: bytes, key: str) -> UpdateDocument:
    """Return an update's document; one that was damaged is an update of kind `unreadable`, named by the audit."""
    try:
        text = gzip.decompress(content) if content.startswith(GZIP_MARK) else content
        return UpdateDocument.model_validate_json(text)
    except (ValidationError, OSError, EOFError):
        ended = int(found[1]) // NANOSECONDS if (found := STAMP.search(key)) else 0
        return UpdateDocument.model_validate(
            {"kind": UNREADABLE, "result": UNREADABLE, "startTime": ended, "endTime": ended}
        )


def _moment(value: int | str) -> datetime:
    """Return a moment as the two forms have it: seconds, or ISO 8601."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
