from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infra.lab import hosts
from infra.lab.converge import Action, decide
from infra.lab.folder import LabFolder
from infra.lab.plan import AddressPlan
from infra.lab.spec import ContainerSpec, run_arguments

SPEC = ContainerSpec(
    name="acp-lab-11-model",
    image="acp-lab/model:1",
    network="acp-lab-11",
    address="172.28.11.3",
    environment={"OPENAI_API_KEY": "s3cret"},
    mounts=("/a:/b:ro",),
    published=("127.0.11.11:80:80",),
    flags=("--read-only",),
)


def _found(spec: ContainerSpec, **state: Any) -> dict[str, Any]:
    base = {"Status": "running", "Running": True, "Paused": False, "Restarting": False}
    return {"Config": {"Labels": {"acp.lab.spec": spec.fingerprint}}, "State": {**base, **state}}


def test_run_arguments_are_exact() -> None:
    """The docker command of a container holds everything but the values of its environment."""
    assert run_arguments(SPEC, {"acp.lab.identity": "x"}) == (
        *("run", "--detach", "--name", "acp-lab-11-model", "--hostname", "acp-lab-11-model", "--pull", "never"),
        *("--network", "acp-lab-11", "--ip", "172.28.11.3", "--restart", "unless-stopped"),
        *("--label", "acp.lab.identity=x", "--label", f"acp.lab.spec={SPEC.fingerprint}"),
        *("--env", "OPENAI_API_KEY", "--volume", "/a:/b:ro", "--publish", "127.0.11.11:80:80"),
        *("--read-only", "acp-lab/model:1"),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"environment": {"OPENAI_API_KEY": "other"}},
        {"content": "other"},
        {"address": "172.28.11.4"},
    ],
)
def test_every_change_changes_the_fingerprint(change: dict[str, Any]) -> None:
    """Whatever a container depends on, its files and secrets included, makes it another one."""
    assert replace(SPEC, **change).fingerprint != SPEC.fingerprint


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ({}, Action.NOTHING),
        ({"Running": False, "Status": "exited"}, Action.START),
        ({"Paused": True}, Action.START),
        ({"Running": False, "Status": "created"}, Action.REPLACE),
        ({"Running": False, "Status": "dead"}, Action.REPLACE),
        ({"Restarting": True, "Status": "restarting"}, Action.REPLACE),
    ],
)
def test_decide_by_state(state: dict[str, Any], action: Action) -> None:
    """A stopped container is started, a half-made or crashing one is replaced, a running one is left alone."""
    assert decide(SPEC, _found(SPEC, **state)) is action


def test_decide_creates_what_is_missing_and_replaces_what_differs() -> None:
    """A missing container is created; one with another fingerprint or none is replaced, even while it runs."""
    assert decide(SPEC, None) is Action.CREATE
    assert decide(SPEC, _found(replace(SPEC, image="old"))) is Action.REPLACE
    assert decide(SPEC, {**_found(SPEC), "Config": {"Labels": None}}) is Action.REPLACE


def test_a_host_publishes_on_its_own_address_only(tmp_path: Any) -> None:
    """No port of a lab host is open to the outside of the build machine."""
    spec = hosts.spec(LabFolder(path=tmp_path), AddressPlan(number=11), 2, "image", "content")
    assert spec.published == tuple(f"127.0.11.12:{port}:{port}" for port in (22, 80, 443, 8000, 8001))
    assert "--privileged" not in spec.flags
