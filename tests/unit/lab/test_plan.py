from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from infra.lab.folder import LabFolder
from infra.lab.inventory import host_entry, make_inventory
from infra.lab.plan import FIRST_NUMBER, LAST_NUMBER, MAX_HOSTS, PUBLISHED_PORTS, AddressMode, AddressPlan

if TYPE_CHECKING:
    from pathlib import Path


def test_the_plan_of_lab_eleven() -> None:
    """Addresses are as documented: registry .2, model .3, hosts from .11, each on a loopback address of its own."""
    plan = AddressPlan(number=11)
    assert plan.network == "acp-lab-11"
    assert plan.subnet == "172.28.11.0/24"
    assert plan.registry_server == "172.28.11.2:5000"
    assert plan.model_url == "http://172.28.11.3:8080/v1"
    assert [plan.host_address(1), plan.host_address(2)] == ["127.0.11.11", "127.0.11.12"]
    assert [plan.host_bridge_address(1), plan.host_bridge_address(2)] == ["172.28.11.11", "172.28.11.12"]
    assert plan.host_port(2, 443) == 443
    assert plan.container("h1") == "acp-lab-11-h1"


def test_the_registry_is_not_on_loopback() -> None:
    """Docker skips TLS verification in 127.0.0.0/8, so the registry stands elsewhere."""
    for number in range(FIRST_NUMBER, LAST_NUMBER + 1):
        assert not ipaddress.ip_address(AddressPlan(number=number).registry_address).is_loopback


def test_ports_mode_never_gives_a_port_twice() -> None:
    """In ports mode every port of every host of every lab is another one, and a valid one."""
    plans = [AddressPlan(number=number, mode=AddressMode.PORTS) for number in range(FIRST_NUMBER, LAST_NUMBER + 1)]
    ports = [
        plan.host_port(index, port) for plan in plans for index in range(1, MAX_HOSTS + 1) for port in PUBLISHED_PORTS
    ]
    assert len(set(ports)) == len(ports)
    assert min(ports) > 1024
    assert max(ports) < 65536


def test_inventory_names_ports_only_in_ports_mode() -> None:
    """A host entry has the fields of the contract, and `ports` where they differ from the usual ones."""
    loopback = host_entry(AddressPlan(number=11), 1, "ssh-ed25519 AAAA")
    assert loopback == {
        "name": "h1",
        "address": "127.0.11.11",
        "port": 22,
        "user": "deploy",
        "host_key": "ssh-ed25519 AAAA",
    }
    plan = AddressPlan(number=11, mode=AddressMode.PORTS)
    entry = host_entry(plan, 1, "ssh-ed25519 AAAA")
    assert entry["address"] == "127.0.0.1"
    assert entry["port"] == plan.host_port(1, 22)
    assert entry["ports"] == {str(port): plan.host_port(1, port) for port in PUBLISHED_PORTS}


def test_inventory_names_the_ports_at_which_the_public_is_served(tmp_path: Path) -> None:
    """A stack can be held to them: all that the hosts publish but the port of sshd."""
    inventory = make_inventory(LabFolder(path=tmp_path), AddressPlan(number=11), {1: "ssh-ed25519 AAAA"})
    assert inventory["public_ports"] == [port for port in PUBLISHED_PORTS if port != 22]
