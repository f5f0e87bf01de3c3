from __future__ import annotations

import ipaddress

import pytest

from infra.errors import ToolError
from infra.lab.network import free_number, owned, subnets


def _nets(*texts: str) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network(text) for text in texts]


def test_the_lowest_free_number_is_chosen() -> None:
    """A lab beside another one takes the next number."""
    assert free_number([]) == 11
    assert free_number(_nets("172.28.11.0/24", "172.28.12.128/25")) == 13


def test_a_lab_keeps_its_number_while_it_is_free() -> None:
    """The number a lab had is preferred, and given up only when it was taken meanwhile."""
    assert free_number([], 40) == 40
    assert free_number(_nets("172.28.40.0/24"), 40) == 11


def test_without_a_free_subnet_the_mend_is_named() -> None:
    """When something else took the whole range the error says what to remove."""
    with pytest.raises(ToolError, match="remove docker networks"):
        free_number(_nets("172.16.0.0/12"))


def test_subnets_reads_networks_with_and_without_addresses() -> None:
    """Networks without a subnet (host, none) and IPv6 ones are passed over."""
    found = [
        {"IPAM": {"Config": None}},
        {"IPAM": {"Config": [{"Subnet": "172.17.0.0/16"}, {"Subnet": "fd00::/64"}, {}]}},
    ]
    assert subnets(found) == _nets("172.17.0.0/16")


def test_a_network_belongs_to_the_lab_whose_identity_it_carries() -> None:
    """A network of the same name that another lab made is not taken over."""
    assert owned({"Labels": {"acp.lab.identity": "me"}}, "me")
    assert not owned({"Labels": {"acp.lab.identity": "you"}}, "me")
    assert not owned({"Labels": None}, "me")
    assert not owned(None, "me")
