from __future__ import annotations

import gzip
import json
import os
import socket
from pathlib import Path

import pytest

from infra.adapters.backend import FolderStore, backend_url, open_store, project_name
from infra.adapters.bucket import BucketAddress
from infra.adapters.pulumi_lock import read_lock, refuse_locked
from infra.adapters.stack_history import StoredHistory, find_resource
from infra.errors import LeaseHeldError, ToolError

NOBODY = 2**22 - 1
"""A process id that no process has: the kernel's own limit is lower on the machines that tests run on."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project whose backend is its own folder."""
    (tmp_path / "Pulumi.yaml").write_text("name: thing\nbackend: {url: 'file://.'}\n", encoding="utf-8")
    return tmp_path


def test_the_environment_names_the_backend_before_the_project(root: Path) -> None:
    """As Pulumi does it; folders become absolute."""
    assert backend_url({}, root) == f"file://{root}"
    assert backend_url({"PULUMI_BACKEND_URL": "file:///state"}, root) == "file:///state"
    assert backend_url({"PULUMI_BACKEND_URL": "file://~"}, root) == f"file://{Path.home()}"
    assert backend_url({"PULUMI_BACKEND_URL": "s3://bucket?region=x"}, root) == "s3://bucket?region=x"
    assert project_name(root) == "thing"


def test_a_backend_whose_files_are_out_of_reach_has_no_store() -> None:
    """Pulumi Cloud is asked through the command."""
    assert open_store("https://api.pulumi.com") is None
    assert isinstance(open_store("file:///state"), FolderStore)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("s3://acp", BucketAddress(bucket="acp")),
        ("s3://acp/deep/er?region=eu-central-1", BucketAddress(bucket="acp", prefix="deep/er", region="eu-central-1")),
        (
            "s3://acp?endpoint=127.0.0.1:9000&disableSSL=true&s3ForcePathStyle=true",
            BucketAddress(bucket="acp", endpoint="http://127.0.0.1:9000", is_path_style=True),
        ),
        (
            "s3://acp?endpoint=minio.test&use_path_style=true&profile=ci",
            BucketAddress(bucket="acp", endpoint="https://minio.test", is_path_style=True, profile="ci"),
        ),
    ],
)
def test_a_buckets_address_is_read_as_pulumi_reads_it(url: str, address: BucketAddress) -> None:
    """Prefix, region, endpoint and style."""
    assert BucketAddress.parse(url) == address


def test_a_history_that_was_written_compressed_is_read(tmp_path: Path) -> None:
    """Pulumi can keep its files gzipped."""
    document = {"kind": "update", "startTime": 10, "endTime": 12, "result": "succeeded", "version": 0}
    state = {"resources": [{"urn": "urn:pulumi:local::thing::acp:Record::record", "outputs": {"a": 1}}]}
    (tmp_path / "s-12.history.json.gz").write_bytes(gzip.compress(json.dumps(document).encode()))
    (tmp_path / "s-12.checkpoint.json.gz").write_bytes(gzip.compress(json.dumps(state).encode()))
    (tmp_path / "s-12.history.json.gz.attrs").write_text("{}", encoding="utf-8")
    history = StoredHistory(store=FolderStore(root=tmp_path), folder=".")
    (update,) = history.updates()
    assert (update.id, update.document.result) == ("s-12", "succeeded")
    assert find_resource(history.checkpoint(update), "record")["outputs"] == {"a": 1}
    assert find_resource(history.checkpoint(update), "nothing") == {}
    assert find_resource(b'{"urn": "a::record"', "record") == {}


def lock(root: Path, *, pid: int, machine: str) -> None:
    """Put a lock on the stack as Pulumi does."""
    folder = root / ".pulumi" / "locks" / "organization" / "thing" / "local"
    folder.mkdir(parents=True)
    content = {"pid": pid, "username": "ann", "hostname": machine, "timestamp": "2026-01-05T09:00:00.123Z"}
    (folder / "one.json").write_text(json.dumps(content), encoding="utf-8")


def test_a_free_stack_is_not_refused(root: Path) -> None:
    """There is no lock."""
    assert read_lock("local", {}, root) is None
    refuse_locked("local", {}, root)


def test_a_dead_processs_lock_is_named_with_its_mend(root: Path) -> None:
    """Who left it, and the command that removes it."""
    lock(root, pid=NOBODY, machine=socket.gethostname())
    with pytest.raises(ToolError, match=r"locked by process \d+ of ann@.* does not run any more") as caught:
        refuse_locked("local", {}, root)
    assert "pulumi cancel --stack local --yes" in caught.value.mend


@pytest.mark.parametrize(
    ("pid", "machine"),
    [pytest.param(os.getpid(), socket.gethostname(), id="here"), pytest.param(NOBODY, "elsewhere", id="elsewhere")],
)
def test_a_lock_that_may_be_alive_is_waited_for(root: Path, pid: int, machine: str) -> None:
    """A running process, or one of another machine, which nobody here can judge."""
    lock(root, pid=pid, machine=machine)
    with pytest.raises(LeaseHeldError, match="is being updated by process"):
        refuse_locked("local", {}, root)
