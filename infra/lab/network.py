"""The lab's bridge network; making it is what reserves the lab's number on this machine."""

from __future__ import annotations

import ipaddress
import itertools
from typing import TYPE_CHECKING, Any

from infra.errors import ToolError
from infra.lab.docker import all_networks, docker, networks
from infra.lab.plan import FIRST_NUMBER, LAST_NUMBER, AddressMode, AddressPlan
from infra.lab.spec import LABEL_FOLDER, LABEL_LAB
from infra.toolchain.lock import exclusive
from infra.toolchain.places import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from infra.toolchain.progress import Progress


def subnets(found: Iterable[Mapping[str, Any]]) -> list[ipaddress.IPv4Network]:
    """Return the IPv4 subnets of docker's descriptions of networks."""
    configs = [config for entry in found for config in (entry["IPAM"]["Config"] or [])]
    parsed = [ipaddress.ip_network(config["Subnet"], strict=False) for config in configs if config.get("Subnet")]
    return [subnet for subnet in parsed if isinstance(subnet, ipaddress.IPv4Network)]


def free_number(taken: Sequence[ipaddress.IPv4Network], preferred: int | None = None) -> int:
    """Return `preferred` if its subnet overlaps none of `taken`, else the lowest number that is free."""
    candidates = range(FIRST_NUMBER, LAST_NUMBER + 1)
    first = [preferred] if preferred is not None else []
    for number in itertools.chain(first, candidates):
        subnet = ipaddress.IPv4Network(AddressPlan(number=number).subnet)
        if not any(subnet.overlaps(other) for other in taken):
            return number
    raise ToolError("no free subnet for a lab in 172.28.0.0/16", mend="remove docker networks that use it")


def owned(entry: Mapping[str, Any] | None, identity: str) -> bool:
    """Say whether docker's description of a network is that of the lab `identity`."""
    return entry is not None and bool((entry["Labels"] or {}).get(LABEL_LAB) == identity)


def ensure_network(
    identity: str, folder: str, mode: AddressMode, preferred: int | None, progress: Progress
) -> AddressPlan:
    """See to the network of the lab `identity`; it gets another number only when the one it had was taken meanwhile."""
    if preferred is not None:
        plan = AddressPlan(number=preferred, mode=mode)
        if owned(networks([plan.network]).get(plan.network), identity):
            return plan
    lock = find().cache / "lab" / "number.lock"
    with exclusive(lock, on_wait=lambda pid: progress.say(f"lab: waiting for process {pid} to choose its network")):
        plan = AddressPlan(number=free_number(subnets(all_networks()), preferred), mode=mode)
        labels = ("--label", f"{LABEL_LAB}={identity}", "--label", f"{LABEL_FOLDER}={folder}")
        docker("network", "create", "--driver", "bridge", "--subnet", plan.subnet, *labels, plan.network)
    return plan
