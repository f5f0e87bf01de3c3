from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.lab.certs import Pair, issue, make_authority
from tests.integration.hostctl.test_phases import answers, nothing_lost

if TYPE_CHECKING:
    from tests.integration.hostctl.site import Site

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
KILL_HAPROXY = 'for p in /proc/[0-9]*; do read -r n < $p/comm && [ "$n" = haproxy ] && kill -9 ${p#/proc/}; done; true'


def test_the_edge_is_upgraded_without_losing_a_request(site: Site) -> None:
    """A newer image takes the listening sockets over, twice; asked for again, nothing changes."""
    with site.traffic() as prober:
        for image in ("newer", "haproxy"):
            answer = site.edge(image)
            assert (answer["changed"], answer["interrupted_seconds"]) == (True, 0)
            assert not site.edge(image)["changed"]
            time.sleep(1)
    nothing_lost(prober)
    assert site.status()["drift"] == []


def test_a_setting_of_the_edge_changes_without_losing_a_request(site: Site) -> None:
    """Other time limits are a reload."""
    with site.traffic() as prober:
        assert site.edge(timeouts={"server_seconds": 200})["changed"]
    nothing_lost(prober)
    site.edge()


def test_an_edge_that_dies_is_back_at_once_on_the_committed_routes(site: Site) -> None:
    """HAProxy killed: what was under way is lost, then the same release answers."""
    current = site.status()["current"]
    container = site.status()["edge"]["container"]
    with site.traffic() as prober:
        site.docker("exec", "--user", "0", container, "/bin/sh", "-c", KILL_HAPROXY)
        time.sleep(4)
    lost_at = [answer.at for answer in prober.answers if answer.lost]
    assert not lost_at or max(lost_at) - min(lost_at) < 2
    assert answers(site) == current


def test_an_upgraded_edge_survives_a_reboot(site: Site) -> None:
    """Whichever container of the edge comes up first serves the committed release; the next call puts all right."""
    current = site.status()["current"]
    site.edge("newer")
    site.machine.reboot()
    deadline = time.monotonic() + 60
    while True:
        try:
            assert answers(site) == current
            break
        except (AssertionError, httpx.HTTPError):
            assert time.monotonic() < deadline, "the edge did not come back"
            time.sleep(0.5)
    site.edge("newer")
    status = site.status()
    assert (status["serving"], status["drift"]) == (current, [])


def test_tls_is_switched_on_and_its_certificate_replaced_under_load(site: Site) -> None:
    """TLS 1.2 or better, HSTS, a redirect; a new certificate reaches new connections and breaks none."""
    address = site.host.address
    authority = make_authority("Test authority", "127.0.0.0/8")
    first, second = (issue(authority, addresses=[address]) for _ in range(2))

    def apply(pair: Pair) -> dict[str, object]:
        return site.edge("newer", https_port=443, tls={"certificate_pem": pair.certificate + pair.key})

    apply(first)
    context = ssl.create_default_context(cadata=authority.certificate)
    current = site.status()["current"]
    answer = httpx.get(f"https://{address}/x", verify=context)
    assert answer.headers["X-ACP-Release"] == current
    assert "max-age" in answer.headers["Strict-Transport-Security"]
    redirect = httpx.get(f"http://{address}/a?b=c")
    assert (redirect.status_code, redirect.headers["Location"]) == (308, f"https://{address}/a?b=c")
    old = ssl.create_default_context(cadata=authority.certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError, match="alert protocol version"):
        httpx.get(f"https://{address}/x", verify=old)
    assert _shown(address) == _pem(first)
    with httpx.Client(verify=context) as kept:
        kept.get(f"https://{address}/x")
        assert apply(second)["changed"]
        assert kept.get(f"https://{address}/x").status_code == 200
    assert _shown(address) == _pem(second)
    assert not apply(second)["changed"]
    site.edge("newer")
    assert answers(site) == current


def _shown(address: str) -> str:
    """Return the certificate that a new connection is shown, as PEM."""
    return ssl.get_server_certificate((address, 443)).strip()


def _pem(pair: Pair) -> str:
    """Return a certificate as PEM."""
    return pair.certificate.strip()
