"""Proxies of the environment, with Go's rules for what goes past them."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from urllib.parse import urlsplit


def proxies_for(url: str) -> dict[str, str]:
    """Return the proxies for `url` by scheme; none for this machine and for what NO_PROXY names."""
    host = urlsplit(url).hostname or ""
    no_proxy = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    if _is_this_machine(host) or any(_covers(entry.strip(), host) for entry in no_proxy.split(",") if entry.strip()):
        return {}
    return urllib.request.getproxies()


def _is_this_machine(host: str) -> bool:
    """Say whether a host is this machine itself."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _covers(entry: str, host: str) -> bool:
    """Say whether one entry of NO_PROXY covers a host: `*`, an address, a network, a name or a domain."""
    address = _address(host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return entry in {"*", host}
    domain = entry.removeprefix("*").removeprefix(".")
    return entry == "*" or host == domain or host.endswith(f".{domain}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a host as an address, if it is one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
