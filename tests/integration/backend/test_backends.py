from __future__ import annotations

import json
import os
import socket
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from infra.adapters.packed_history import unpack
from infra.adapters.process import run
from infra.adapters.stack_history import find_resource, open_history
from infra.audit.anchoring import anchor_release
from infra.audit.entries import record_of
from infra.audit.events import build_events
from infra.audit.verification import verify
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

STACK = "local"
BUCKET = "acp-state"
PULUMI_SECONDS = 60.0
PROGRAM = """
    import json, os
    import pulumi
    from infra.components.record import ReleaseRecord
    from infra.domain.text_form import to_text
    from infra.release import utc_now

    if os.environ.get("TEST_FAILS"):
        raise RuntimeError("as asked")
    entry = json.loads(os.environ["TEST_ENTRY"]) | {"started_at": utc_now()}
    record = ReleaseRecord(
        "record",
        {
            "stack": "local",
            "entry": to_text(entry),
            "earlier": "",
            "rolled_out": {key: entry[key] for key in ("release", "run_id")},
            "fingerprint_key": pulumi.Output.secret("k"),
        },
    )
    pulumi.export("history", record.history)
    pulumi.export("previous", record.previous)
"""


@dataclass(slots=True, kw_only=True)
class Stack:
    """A Pulumi stack that has nothing but our record, in one backend or another."""

    folder: Path
    backend: str

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of `pulumi`, the backend and its credentials in it."""
        return {
            **os.environ,
            "PATH": f"{PROJECT_ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(PROJECT_ROOT / ".venv"),
            "PYTHONPATH": str(PROJECT_ROOT),
            "PULUMI_BACKEND_URL": self.backend,
            "PULUMI_CONFIG_PASSPHRASE": "for the test only",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def pulumi(self, *arguments: str, check: bool = True, stdin: str = "", **environment: str) -> str:
        """Run `pulumi` and return what it printed."""
        argv = ["pulumi", *arguments, "--non-interactive"]
        env = {**self.env, **environment}
        return run(argv, timeout_seconds=PULUMI_SECONDS, env=env, cwd=self.folder, check=check, stdin=stdin).stdout

    def up(self, version: str, *, fails: bool = False) -> None:
        """Release a version, with the anchor that a rollout would make."""
        before = self.record[0]["audit"] if self.record else {}
        intent = {"release": f"{version}-0", "run_id": f"run-{version}", "kind": "release", "who": "ann", "spec": {}}
        anchor = anchor_release(STACK, before, intent, self.env)
        entry = {**intent, "version": version, "audit": anchor.to_json(), "replaced": ""}
        told = {"TEST_ENTRY": json.dumps(entry), **({"TEST_FAILS": "1"} if fails else {})}
        self.pulumi("up", "--yes", "--skip-preview", check=not fails, **told)

    @property
    def record(self) -> list[dict[str, Any]]:
        """Return the record as the stack's outputs have it."""
        outputs: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", check=False) or "{}")
        return unpack(outputs.get("history"))

    @property
    def versions(self) -> list[str]:
        """Return the recorded versions, the newest first."""
        return [entry["version"] for entry in self.record]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """Return the address of a bucket on an S3 server of this process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    session.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    try:
        yield f"s3://{BUCKET}?region=us-east-1&endpoint={endpoint}&s3ForcePathStyle=true"
    finally:
        server.stop()


def test_the_ledger_outlives_failures_refresh_export_and_a_move(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record outlives a failed update, a refresh, and a move into another folder and into a bucket."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: analyst-copilot\nruntime: python\n", encoding="utf-8")
    (project / "__main__.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    stack = Stack(folder=project, backend=f"file://{tmp_path / 'one'}")
    stack.pulumi("stack", "init", STACK)

    stack.up("v1")
    stack.up("v2", fails=True)
    assert stack.versions == ["v1"]
    stack.pulumi("refresh", "--yes", "--skip-preview", TEST_ENTRY=json.dumps(stack.record[0]))
    assert stack.versions == ["v1"]
    stack.up("v2")
    events = build_events(STACK, open_history(STACK, stack.env), stack.record, [])
    assert [(event.kind, event.outcome, event.version) for event in events] == [
        ("release", "succeeded", "v1"),
        ("release", "failed", ""),
        ("other", "succeeded", ""),
        ("release", "succeeded", "v2"),
    ]

    exported = stack.pulumi("stack", "export")
    moved = Stack(folder=project, backend=f"file://{tmp_path / 'other'}")
    moved.pulumi("stack", "init", STACK)
    moved.pulumi("stack", "import", stdin=exported)
    assert moved.record == stack.record

    moved.backend = bucket
    moved.pulumi("stack", "init", STACK)
    moved.pulumi("stack", "import", stdin=exported)
    assert moved.record == stack.record
    moved.up("v3")
    moved.up("v4")
    assert moved.versions == ["v4", "v3", "v2", "v1"]
    history = open_history(STACK, moved.env)
    last = history.updates()[-1]
    assert find_resource(history.checkpoint(last), "record")["outputs"]["stack"] == STACK
    assert record_of(history.checkpoint(last)) == moved.record
    found = verify(history, moved.record, lambda _: [])
    assert found.problems == ()
    assert (found.updates, found.anchors) == (2, 4)
    assert any("before v3-0 the stack was in file://" in note for note in found.notes)
