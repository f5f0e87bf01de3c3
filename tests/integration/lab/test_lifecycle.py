from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from infra.lab.cli import lab as command
from infra.lab.docker import labelled
from infra.lab.folder import LabFolder, read_memory
from infra.lab.status import status
from infra.lab.trust import docker_file, system_file
from infra.lab.up import up
from infra.toolchain.progress import Progress
from tests.support.lab import own_lab

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.lab import Lab

pytestmark = pytest.mark.lab


def _again(lab: Lab, hosts: int | None = None) -> list[str]:
    """Run `lab up` again; return the names of the hosts in the inventory."""
    up(lab.folder, hosts, Progress(), library=())
    inventory = json.loads(lab.folder.inventory_file.read_text())
    return [host["name"] for host in inventory["hosts"]]


def _started(lab: Lab) -> dict[str, str]:
    """Return when each container of the lab was started."""
    names = labelled("container", f"acp.lab.folder={lab.folder.path}")
    form = "{{.Name}} {{.State.StartedAt}}"
    done = subprocess.run(
        ["docker", "inspect", "--format", form, *names], capture_output=True, text=True, timeout=30, check=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_up_again_restarts_nothing(lab: Lab) -> None:
    """A lab that is up is left alone."""
    before = _started(lab)
    assert len(before) == 3
    assert _again(lab) == ["h1"]
    assert _started(lab) == before


def test_a_lab_grows_and_shrinks(lab: Lab) -> None:
    """Another host joins without touching the first one, and leaves with all it had."""
    before = _started(lab)
    assert _again(lab, 2) == ["h1", "h2"]
    assert lab.folder.host("h2").exists()
    assert status(lab.folder).up
    assert _again(lab, 1) == ["h1"]
    assert _started(lab) == before
    assert not lab.folder.host("h2").exists()
    assert not [name for name in labelled("volume", f"acp.lab.folder={lab.folder.path}") if "-h2-" in name]


def test_up_repairs_what_a_hard_stop_left(lab: Lab) -> None:
    """Containers that were killed, removed or half made are back after `lab up`, with the same host key."""
    plan = lab.plan
    key = lab.inventory["hosts"][0]["host_key"]
    subprocess.run(["docker", "kill", plan.container("h1"), plan.container("registry")], check=True, timeout=30)
    subprocess.run(["docker", "rm", "--force", plan.container("model")], check=True, timeout=30)
    assert not status(lab.folder).up
    assert _again(lab) == ["h1"]
    assert status(lab.folder).up
    assert json.loads(lab.folder.inventory_file.read_text())["hosts"][0]["host_key"] == key


def test_hosts_can_share_one_address(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only 127.0.0.1 exists, hosts have ports of their own and the inventory names them."""
    monkeypatch.setenv("ACP_LAB_ADDRESSES", "ports")
    inventory = up(lab.folder, None, Progress(), library=())
    (host,) = inventory["hosts"]
    assert host["address"] == "127.0.0.1"
    assert host["port"] != 22
    assert sorted(host["ports"], key=int) == ["22", "80", "443", "8000", "8001"]
    assert status(lab.folder).up
    monkeypatch.setenv("ACP_LAB_ADDRESSES", "loopback")
    assert _again(lab) == ["h1"]


def test_a_lab_beside_another_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    """A second lab has its own number, is found again without its folder, and is gone after `lab down`."""
    with own_lab(tmp_path / "lab", hosts=1, library=()) as second:
        assert second.plan.number != lab.plan.number
        label = f"acp.lab.folder={second.folder.path}"
        first_identity = read_memory(second.folder)
        shutil.rmtree(second.folder.path)
        up(LabFolder(path=second.folder.path), 1, Progress(), library=())
        memory = read_memory(second.folder)
        assert memory is not None
        assert first_identity is not None
        assert memory.identity != first_identity.identity
        assert len(labelled("network", label)) == 1, "the network of the lab that lost its folder is gone"
        plan = memory.plan
        assert docker_file(plan).exists()
    assert not any(labelled(kind, label) for kind in ("container", "volume", "network"))
    assert not docker_file(plan).exists()
    assert not system_file(plan).exists()
    assert not second.folder.path.exists()
    assert status(lab.folder).up


def test_commands_speak_json(lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`lab status --json` says how each part is, on stdout alone."""
    monkeypatch.setenv("ACP_LAB_DIR", str(lab.folder.path))
    command.main(["status", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert found["up"] is True
    assert found["number"] == lab.plan.number
    assert found["hosts"] == [
        {"name": "h1", "address": lab.plan.host_address(1), "ssh": True, "docker": True, "up": True}
    ]
