from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from tests.contract.providers.sdk import (
    Network,
    NetworkIpamConfigArgs,
    NetworkLabelArgs,
    Provider,
    Volume,
    VolumeLabelArgs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.providers.conftest import Host
    from tests.contract.providers.engine_run import Outcome, StackRun

pytestmark = pytest.mark.lab

SUBNET, GATEWAY = "10.213.7.0/24", "10.213.7.1"
NOWHERE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A stack taken through its life; volumes and networks as the host's own Docker saw them in between."""

    created: Outcome
    created_state: dict[str, dict[str, Any]]
    created_seen: dict[str, Any]
    unreachable_preview: Outcome
    unreachable: Outcome
    changed: Outcome
    changed_seen: dict[str, Any]
    refused: Outcome
    refreshed: Outcome
    refreshed_state: dict[str, dict[str, Any]]
    in_use: Outcome
    in_use_seconds: float
    in_use_state: dict[str, dict[str, Any]]
    destroyed: Outcome
    last_names: list[str]


def declare(
    host: Host,
    *,
    label: str = "1",
    address: str = "",
    suffix: str = "",
    more: Callable[[pulumi.ResourceOptions], None] | None = None,
) -> None:
    """Declare networks and volumes on one host; the arguments change them."""
    provider = Provider("host", host=address or host.docker_address(), ssh_opts=host.ssh_options)
    options = pulumi.ResourceOptions(provider=provider)

    def name(part: str) -> str:
        return f"{host.prefix}-{part}"

    Network(
        "network",
        name=name("network"),
        driver="bridge",
        internal=True,
        labels=[NetworkLabelArgs(label="contract", value=label)],
        ipam_configs=[NetworkIpamConfigArgs(subnet=SUBNET, gateway=GATEWAY)],
        opts=options,
    )
    Network("plain-network", name=name(f"plain-network{suffix}"), opts=options)
    Volume("volume", name=name("volume"), labels=[VolumeLabelArgs(label="contract", value=label)], opts=options)
    ignoring = pulumi.ResourceOptions(provider=provider, ignore_changes=["labels"])
    Volume("adopted", name=name("adopted"), opts=ignoring)
    Volume("guarded", name=name("guarded"), labels=[VolumeLabelArgs(label="contract", value=label)], opts=ignoring)
    if more is not None:
        more(options)


def declare_refused(host: Host, options: pulumi.ResourceOptions) -> None:
    """Declare a network whose name is taken, and one on a host that cannot be reached."""
    Network("taken", name=f"{host.prefix}-network", opts=options)
    nowhere = Provider("nowhere", host=host.docker_address(port=NOWHERE), ssh_opts=host.ssh_options)
    Network("far", name=f"{host.prefix}-far", opts=pulumi.ResourceOptions(provider=nowhere))


def seen(host: Host) -> dict[str, Any]:
    """Return what the host's Docker says of the networks and volumes, by their names without the prefix."""
    found = {}
    for kind in ("network", "volume"):
        names = host.run(f"docker {kind} ls -q --filter name={host.prefix}").split()
        for thing in json.loads(host.run(f"docker {kind} inspect {' '.join(names)}")) if names else []:
            found[thing["Name"].removeprefix(f"{host.prefix}-")] = thing
    return found


def use(host: Host) -> None:
    """Run a container that uses the network and the volume, from an image made of nothing but `sleep`."""
    needed = "usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*' | cut -c2-)"
    image = f"tar -ch -C / {needed} | docker import - {host.prefix}:sleep"
    arguments = f"--network {host.prefix}-network -v {host.prefix}-volume:/data {host.prefix}:sleep /usr/bin/sleep 600"
    host.run(f"{image} && docker run -d --name {host.prefix}-user {arguments}; true")


@pytest.fixture(scope="module")
def steps(host: Host, new_stack: Callable[[], StackRun]) -> Steps:
    """Take the stack through its life."""
    host.run(f"docker volume create --label made-by=hand {host.prefix}-adopted")
    stack = new_stack()
    created, created_state, created_seen = stack.up(lambda: declare(host)), stack.state(), seen(host)
    nowhere = host.docker_address(port=NOWHERE)
    unreachable_preview = stack.preview(lambda: declare(host, address=nowhere, label="2"))
    unreachable = stack.up(lambda: declare(host, address=nowhere))
    changed, changed_seen = stack.up(lambda: declare(host, label="2", suffix="-2")), seen(host)
    refused = stack.up(
        lambda: declare(host, label="2", suffix="-2", more=lambda options: declare_refused(host, options)), failing=True
    )
    host.run(f"docker network rm {host.prefix}-plain-network-2; docker volume rm {host.prefix}-adopted; true")
    refreshed, refreshed_state = stack.refresh(), stack.state()
    use(host)
    began = time.monotonic()
    in_use = stack.destroy()
    in_use_seconds, in_use_state = time.monotonic() - began, stack.state()
    host.run(f"docker rm -f {host.prefix}-user; docker rmi {host.prefix}:sleep; true")
    destroyed = stack.destroy()
    return Steps(
        created=created,
        created_state=created_state,
        created_seen=created_seen,
        unreachable_preview=unreachable_preview,
        unreachable=unreachable,
        changed=changed,
        changed_seen=changed_seen,
        refused=refused,
        refreshed=refreshed,
        refreshed_state=refreshed_state,
        in_use=in_use,
        in_use_seconds=in_use_seconds,
        in_use_state=in_use_state,
        destroyed=destroyed,
        last_names=sorted(seen(host)),
    )


def test_network_has_dockers_id_and_all_outputs(steps: Steps, host: Host) -> None:
    """A network's id is Docker's, and its outputs are what Docker says of it."""
    resource = steps.created_state["network"]
    assert resource["id"] == steps.created_seen["network"]["Id"]
    outputs = {key: value for key, value in resource["outputs"].items() if not key.startswith("__")}
    assert outputs == {
        "name": f"{host.prefix}-network",
        "driver": "bridge",
        "scope": "local",
        "attachable": False,
        "ingress": False,
        "internal": True,
        "ipv6": False,
        "labels": [{"label": "contract", "value": "1"}],
        "options": {},
        "ipamDriver": "default",
        "ipamOptions": {},
        "ipamConfigs": [{"subnet": SUBNET, "gateway": GATEWAY, "ipRange": "", "auxAddress": {}}],
    }


def test_network_defaults_only_the_ipam_driver(steps: Steps) -> None:
    """`ipamDriver: default` is the one input that is filled in; Docker chooses driver and subnet."""
    resource = steps.created_state["plain-network"]
    inputs = {key: value for key, value in resource["inputs"].items() if not key.startswith("__")}
    assert inputs == {"ipamDriver": "default", "name": resource["outputs"]["name"]}
    assert resource["outputs"]["driver"] == "bridge"
    assert resource["outputs"]["ipamConfigs"][0]["subnet"]


def test_volume_has_its_name_as_id_and_all_outputs(steps: Steps, host: Host) -> None:
    """A volume's id is its name, and its outputs are what Docker says of it."""
    resource = steps.created_state["volume"]
    name = f"{host.prefix}-volume"
    assert resource["id"] == name
    assert resource["outputs"]["name"] == name
    assert resource["outputs"]["driver"] == "local"
    assert resource["outputs"]["labels"] == [{"label": "contract", "value": "1"}]
    assert resource["outputs"]["mountpoint"] == steps.created_seen["volume"]["Mountpoint"]


def test_volume_of_that_name_is_adopted(steps: Steps) -> None:
    """A volume that is already there becomes the resource, as it is, and with ignored labels it stays."""
    assert steps.created.succeeded
    assert steps.created_state["adopted"]["outputs"]["labels"] == [{"label": "made-by", "value": "hand"}]
    assert steps.changed.operations["adopted"] == ["same"]


def test_changed_host_updates_only_the_provider(steps: Steps) -> None:
    """Another host is an update of the provider; unchanged resources are neither replaced nor looked at."""
    assert steps.unreachable.succeeded
    assert steps.unreachable.operations["host"] == ["update"]
    others = [operations for name, operations in steps.unreachable.operations.items() if name != "host"]
    assert all(operations == ["same"] for operations in others)


def test_preview_does_not_touch_the_host(steps: Steps) -> None:
    """A preview of replacements succeeds with a host that cannot be reached."""
    assert steps.unreachable_preview.succeeded
    assert "replace" in steps.unreachable_preview.operations["network"]


@pytest.mark.parametrize("name", ["network", "volume"])
def test_changed_label_replaces_the_old_one_first(steps: Steps, name: str) -> None:
    """Any change, even of a label, is a replacement that deletes first."""
    assert steps.changed.operations[name] == ["delete-replaced", "replace", "create-replacement"]
    assert steps.changed_seen[name]["Labels"] == {"contract": "2"}


def test_replaced_network_and_volume_are_new_objects(steps: Steps) -> None:
    """The network has another id, and the volume was made anew: its data is gone."""
    assert steps.changed_seen["network"]["Id"] != steps.created_seen["network"]["Id"]
    assert steps.changed_seen["volume"]["CreatedAt"] != steps.created_seen["volume"]["CreatedAt"]


def test_ignored_change_keeps_a_volume(steps: Steps) -> None:
    """With `ignore_changes` a volume and its data stay."""
    assert steps.changed.operations["guarded"] == ["same"]
    assert steps.changed_seen["guarded"]["CreatedAt"] == steps.created_seen["guarded"]["CreatedAt"]


def test_changed_name_replaces(steps: Steps) -> None:
    """Another name is a replacement too."""
    assert "replace" in steps.changed.operations["plain-network"]
    assert steps.changed.succeeded


def test_taken_network_name_fails(steps: Steps, host: Host) -> None:
    """A network of that name that is already there is an error, not adopted."""
    text = steps.refused.errors["taken"]
    assert "Unable to create network: " in text
    assert f"network with name {host.prefix}-network already exists" in text


def test_unreachable_host_fails_with_the_reason_of_ssh(steps: Steps) -> None:
    """A host that cannot be reached is told with ssh's own words, and leaves nothing in the state."""
    assert "Connection refused" in steps.refused.errors["far"]
    assert "far" not in steps.refreshed_state


def test_refresh_finds_lost_objects(steps: Steps) -> None:
    """A network and a volume that somebody removed leave the state with a refresh; the others stay."""
    assert steps.refreshed.succeeded
    assert not {"plain-network", "adopted"} & set(steps.refreshed_state)
    assert {"network", "volume", "guarded"} <= set(steps.refreshed_state)


def test_objects_in_use_are_waited_for_30_s(steps: Steps) -> None:
    """Deleting what a container uses gives up after 30 s, naming the state it waited in."""
    what = "timeout while waiting for state to become 'removed' (last state: '{}', timeout: 30s)"
    assert what.format("pending") in steps.in_use.errors["network"]
    assert what.format("in_use") in steps.in_use.errors["volume"]
    assert steps.in_use_seconds > 30


def test_failed_delete_leaves_the_state(steps: Steps) -> None:
    """What could not be deleted is still in the state, and a later run deletes it."""
    assert {"network", "volume"} <= set(steps.in_use_state)
    assert steps.destroyed.succeeded
    assert steps.last_names == []
