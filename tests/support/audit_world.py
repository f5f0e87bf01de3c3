"""A stack's backend in a folder and its hosts' journals, written as Pulumi and hostctl write them, in no time."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.adapters.backend import FolderStore
from infra.adapters.packed_history import pack
from infra.adapters.stack_history import StoredHistory
from infra.audit.anchoring import anchor_release
from infra.audit.hosts import host_audit
from infra.domain.ledger import push
from infra.hostctl.chain import problems
from infra.hostctl.commands import COMMANDS
from infra.hostctl.fields import Fields
from infra.hostctl.journal import Journal
from infra.hostctl.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.audit.hosts import HostAudit
    from infra.domain.anchor import Anchor

PROJECT = "analyst-copilot"
STACK = "local"
BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NANOSECONDS = 1_000_000_000
UPDATE_SECONDS = 20


@dataclass(slots=True)
class SetClock:
    """A clock that shows what it was set to."""

    moment: datetime = BEGAN

    def now(self) -> str:
        """Return the moment as hostctl writes it."""
        return self.moment.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHost:
    """A host's journal and what `hostctl audit` says of it."""

    name: str
    paths: Paths
    clock: SetClock

    @property
    def journal(self) -> Journal:
        """Return the journal as a new process has it."""
        return Journal(self.paths.journal, self.clock)  # type: ignore[arg-type]

    def audit(self, positions: Sequence[int] = ()) -> HostAudit:
        """Return the host's answer."""
        answer = COMMANDS["audit"].run(self, Fields({"positions": list(positions)}))  # type: ignore[arg-type]
        return host_audit(self.name, answer)

    def lines(self) -> list[str]:
        """Return the journal's lines."""
        return self.paths.journal.read_text(encoding="utf-8").splitlines()

    def write(self, lines: Sequence[str]) -> None:
        """Change the journal by hand."""
        self.paths.journal.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def is_whole(self) -> bool:
        """Whether the journal's own chain is."""
        return not list(problems(json.loads(line) for line in self.lines()))


@dataclass(slots=True)
class AuditWorld:
    """One stack: every update adds its two files, every release an anchored entry and a commit on each host."""

    root: Path
    hosts: list[AuditHost] = field(default_factory=list)
    record: list[dict[str, Any]] = field(default_factory=list)
    clock: SetClock = field(default_factory=SetClock)
    spec: dict[str, Any] = field(default_factory=dict)
    filler: str = ""

    @classmethod
    def make(cls, root: Path, *, hosts: Sequence[str] = ("h1", "h2")) -> AuditWorld:
        """Return a stack without updates."""
        clock = SetClock()
        made = [AuditHost(name=name, paths=Paths(root / name), clock=clock) for name in hosts]
        return cls(root=root, hosts=made, clock=clock)

    @property
    def folder(self) -> Path:
        """Return the folder of the history."""
        return self.root / ".pulumi" / "history" / PROJECT / STACK

    @property
    def history(self) -> StoredHistory:
        """Return the history as the program reads it."""
        return StoredHistory(store=FolderStore(root=self.root), folder=f".pulumi/history/{PROJECT}/{STACK}")

    @property
    def environ(self) -> dict[str, str]:
        """Return the variable that names the backend."""
        return {"PULUMI_BACKEND_URL": f"file://{self.root}"}

    @property
    def ids(self) -> list[str]:
        """Return the ids of the updates that have a document, the oldest first."""
        return sorted(path.name.removesuffix(".history.json") for path in self.folder.glob("*.history.json"))

    def release(
        self,
        version: str,
        *,
        kind: str = "release",
        release: str = "",
        run_id: str = "",
        serving: Sequence[str] = (),
    ) -> str:
        """Release a version and return the id of its update.

        `release` is one that was made before; the hosts of `serving` serve it already, and commit nothing.
        """
        began = self.clock.moment
        intent, anchor = self._begin(release or f"{version}-{len(self.record):08x}", kind, run_id)
        places = {
            host.name: self._commit(host, anchor.release, anchor.request())
            for host in self.hosts
            if host.name not in serving
        }
        entry = {
            **intent,
            "version": version,
            "replaced": self.record[0]["release"] if self.record else "",
            "started_at": began.isoformat(),
            "ended_at": self.clock.moment.isoformat(),
            "audit": {**anchor.to_json(), "hosts": places},
            "verdicts": {"checks": {"passed": 8, "failed": 0}},
        }
        self.record = push(self.record, entry)
        return self.update("succeeded", began)

    def kill(self, release: str, *, run_id: str = "run-killed", hosts: Sequence[str] = ()) -> None:
        """Begin to release something, and be killed when `hosts` have committed it: no update, no record."""
        _, anchor = self._begin(release, "release", run_id)
        for host in self.hosts:
            if host.name in hosts:
                self._commit(host, release, anchor.request())
        self.clock.moment += timedelta(seconds=UPDATE_SECONDS)

    def fail(self, release: str = "v9-0", reason: str = "crash_loop") -> str:
        """Fail to release something, reverted by the host itself, and return the id of the update."""
        began = self.clock.moment
        for host in self.hosts:
            host.journal.note("lease", "acquired", holder="run-x", purpose=f"release {release} by bob@desk")
            host.journal.context = {"holder": "watchdog"}
            host.journal.note("watchdog", "reverting", release=release, reason=reason)
        return self.update("failed", began)

    def update(self, result: str, began: datetime | None = None, *, kind: str = "update") -> str:
        """Write the files of one update and return its id."""
        began = began or self.clock.moment
        self.clock.moment = began + timedelta(seconds=UPDATE_SECONDS)
        ended = int(self.clock.moment.timestamp())
        key = f"{STACK}-{ended * NANOSECONDS + len(self.ids)}"
        document = {
            "kind": kind,
            "startTime": int(began.timestamp()),
            "endTime": ended,
            "result": result,
            "message": "Change something",
            "environment": {"git.head": "c0ffee", "git.headName": "refs/heads/main"},
            "version": 0,
            "resourceChanges": {"update": 3},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{key}.history.json").write_text(json.dumps(document), encoding="utf-8")
        (self.folder / f"{key}.checkpoint.json").write_text(json.dumps(self.checkpoint()), encoding="utf-8")
        self.clock.moment += timedelta(seconds=UPDATE_SECONDS)
        return key

    def checkpoint(self) -> dict[str, Any]:
        """Return the state as Pulumi writes it."""
        record = {
            "urn": f"urn:pulumi:{STACK}::{PROJECT}::pulumi-python:dynamic/acp:ReleaseRecord::record",
            "outputs": {"stack": STACK, "history": pack(self.record)},
        }
        stack = {
            "urn": f"urn:pulumi:{STACK}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{STACK}",
            "outputs": {"filler": self.filler},
        }
        return {"version": 3, "checkpoint": {"stack": STACK, "latest": {"resources": [stack, record]}}}

    def ask(self, positions: Mapping[str, Sequence[int]]) -> list[HostAudit]:
        """Return every host's answer."""
        return [host.audit(positions.get(host.name, ())) for host in self.hosts]

    def _begin(self, release: str, kind: str, run_id: str) -> tuple[dict[str, Any], Anchor]:
        """Take the lease on every host and return what is to be released, with its anchor."""
        intent = {
            "release": release,
            "run_id": run_id or f"run-{len(self.ids)}",
            "kind": kind,
            "who": "ann",
            "spec": {"release": release, **self.spec},
        }
        for host in self.hosts:
            host.journal.note("lease", "acquired", holder=intent["run_id"], purpose=f"release {release} by ann@desk")
        before = (self.record[0].get("audit") or {}) if self.record else {}
        anchor = anchor_release(STACK, before, intent, self.environ)
        self.clock.moment += timedelta(seconds=UPDATE_SECONDS / 2)
        return intent, anchor

    def _commit(self, host: AuditHost, release: str, anchor: Mapping[str, Any]) -> dict[str, Any]:
        journal = host.journal
        journal.note("commit", "anchor", release=release, anchor={**anchor, "head": anchor["head"] or ""})
        with journal.step("commit", "state", release=release):
            pass
        place = journal.position()
        return {"seq": place.seq, "hash": place.hash}
