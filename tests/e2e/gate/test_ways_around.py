from __future__ import annotations

import copy
import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.errors import GateError
from infra.lab.folder import read_memory
from infra.lab.push import lab_login
from tests.integration.gate.conftest import debian

if TYPE_CHECKING:
    from tests.e2e.gate.conftest import GatedStack
    from tests.support.world import UpResult

pytestmark = pytest.mark.lab


def blocked(result: UpResult, reason: str) -> None:
    """Assert that an update was blocked for `reason`, without a traceback."""
    assert not result.good, result.tail()
    assert reason in result.output, result.tail(40)
    assert "Traceback" not in result.output


def test_a_clean_release_is_recorded_with_its_gate(gated: GatedStack) -> None:
    """A clean release passes; `acp-release show` has scans, database, SBOM, signature and waivers."""
    shown = gated.world.command("show", "--stack", "local", "--json")
    record = json.loads(shown.output[shown.output.index("{") :])["gate"]
    assert {scan["name"] for scan in record["scans"]} == {"acp-ingest", "acp-agents", "edge", "postgres", "redis"}
    assert all(scan["passed"] and "lab DATABASE" in scan["database"] for scan in record["scans"])
    assert record["sbom"] == record["provenance"] == ["acp-agents", "acp-ingest"]
    assert "cosign.pub" in record["signed_by"]
    assert all(scan["waivers"] == [] for scan in record["scans"])


def test_a_stale_database_blocks(gated: GatedStack) -> None:
    """A release with a database of yesterday ends before any host."""
    gated.database(moment=datetime.now(UTC) - timedelta(hours=25))
    with gated.unchanged():
        blocked(gated.up(ACP_VERSION="v2"), "25.0 h old")
    gated.database()


def test_a_critical_blocks(gated: GatedStack) -> None:
    """A release whose image has a CRITICAL ends before any host."""
    gated.database(critical=True)
    with gated.unchanged():
        blocked(gated.up(ACP_VERSION="v3"), "CRITICAL CVE-2026-10001")
    gated.database()


@pytest.mark.parametrize("part", ["h1-candidate-start", "preflight", "rollout", "record"])
def test_a_part_of_an_update_makes_no_release(gated: GatedStack, part: str) -> None:
    """`pulumi up --target` of what stands behind the gate starts nothing, and records nothing that does not serve."""
    with gated.unchanged():
        blocked(gated.up("--target", f"**{part}", "--skip-preview", ACP_VERSION=f"v4-{part}"), "mend")


def test_hostctl_refuses_another_digest(gated: GatedStack) -> None:
    """A call of hostctl with the deploy key, past the program, starts no image unsigned."""
    spec = gated.outputs["release_entry"]["spec"]
    other = json.loads(json.dumps(copy.deepcopy(spec)).replace(spec["images"][0][-12:], "0123456789ab"))
    other["release"], other["project"] = "stolen-12345678", "acp-stolen-12345678"
    for asked in (other, {**spec, "release": "again-12345678", "project": "acp-again-12345678"}):
        secrets = dict.fromkeys(spec["secret_names"], "x")
        with gated.unchanged(), pytest.raises(GateError, match="without the clearance"):
            gated.host.call("start", spec=asked, secrets=secrets)


def test_an_image_pushed_by_hand_is_blocked(gated: GatedStack) -> None:
    """A tag that somebody pushed without the pipeline is blocked: nobody signed it."""
    folder = gated.world.lab
    memory = read_memory(folder)
    assert memory
    with tempfile.TemporaryDirectory() as made, lab_login(folder, memory.plan) as environment:
        for path, text in {**debian("tar"), "Dockerfile": "FROM scratch\nCOPY . /\nUSER 10001\n"}.items():
            (Path(made) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(made) / path).write_text(text)
        for name in ("acp-ingest", "acp-agents"):
            target = f"{memory.plan.registry_server}/acp/{name}:by-hand"
            for argv in (["docker", "build", "-q", "-t", target, made], ["docker", "push", "-q", target]):
                subprocess.run(argv, check=True, capture_output=True, env=environment, timeout=120)
    with gated.unchanged():
        blocked(gated.up(ACP_IMAGE_TAG="by-hand"), "it is not signed")


def test_a_rollback_with_a_critical_needs_a_reason(gated: GatedStack) -> None:
    """Going back to an image that now has a CRITICAL is blocked, unless somebody takes the risk, which is recorded."""
    first = gated.outputs["release"]
    second = gated.up(ACP_VERSION=f"v5-{os.getpid()}")
    assert second.good, second.tail(40)
    gated.database(critical=True)
    with gated.unchanged():
        blocked(gated.up(ACP_ROLLBACK_TO=first), "CRITICAL CVE-2026-10001")
    # Only what goes back is accepted: the edge and the data services have to be clean as ever.
    gated.world.configure({"gate": {"rescan_after_seconds": 3600}})
    result = gated.up(ACP_ROLLBACK_TO=first, ACP_ACCEPT_RISK="the new release loses data")
    assert result.good, result.tail(40)
    scans = {scan["name"]: scan for scan in gated.outputs["release_entry"]["gate"]["scans"]}
    assert scans["acp-ingest"]["accepted_risk"] == "the new release loses data"
    assert gated.host.serving == first
