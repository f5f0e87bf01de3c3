from __future__ import annotations

import datetime as dt
import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from infra.lab import certs

SUBNET = "172.28.11.0/24"


@pytest.fixture(scope="module")
def authority() -> certs.Pair:
    """Return an authority for one subnet."""
    return certs.make_authority("test authority", SUBNET)


def _verify(authority: certs.Pair, pair: certs.Pair, subject: x509.GeneralName) -> None:
    store = Store([x509.load_pem_x509_certificate(authority.certificate.encode())])
    assert isinstance(subject, x509.IPAddress | x509.DNSName)
    verifier = PolicyBuilder().store(store).build_server_verifier(subject)
    verifier.verify(x509.load_pem_x509_certificate(pair.certificate.encode()), [])


def test_a_server_certificate_verifies_for_its_address(authority: certs.Pair) -> None:
    """A certificate issued for an address is good for it by the web's rules."""
    pair = certs.issue(authority, addresses=["172.28.11.2"])
    _verify(authority, pair, x509.IPAddress(ipaddress.ip_address("172.28.11.2")))


def test_the_authority_vouches_for_nothing_outside_the_lab(authority: certs.Pair) -> None:
    """A certificate for a foreign address is refused although the lab's authority signed it."""
    pair = certs.issue(authority, addresses=["192.0.2.1"])
    with pytest.raises(VerificationError):
        _verify(authority, pair, x509.IPAddress(ipaddress.ip_address("192.0.2.1")))


def test_the_authority_vouches_for_no_public_name(authority: certs.Pair) -> None:
    """A certificate for a name outside `.test` is refused although the lab's authority signed it."""
    good = certs.issue(authority, addresses=["127.0.11.11"], names=["acp.test"])
    _verify(authority, good, x509.DNSName("acp.test"))
    bad = certs.issue(authority, addresses=["127.0.11.11"], names=["bank.example"])
    with pytest.raises(VerificationError):
        _verify(authority, bad, x509.DNSName("bank.example"))


def test_usable_wants_issuer_and_addresses(authority: certs.Pair) -> None:
    """A certificate of another authority, or without a wanted address, is not usable."""
    pair = certs.issue(authority, addresses=["172.28.11.2"])
    other = certs.make_authority("other", SUBNET)
    assert certs.usable(pair.certificate, issuer=authority.certificate, addresses=["172.28.11.2"])
    assert not certs.usable(pair.certificate, issuer=other.certificate)
    assert not certs.usable(pair.certificate, addresses=["172.28.11.3"])
    assert not certs.usable("no certificate")


def test_a_certificate_is_renewed_thirty_days_before_its_end(
    authority: certs.Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within its last thirty days a certificate counts as used up."""
    pair = certs.issue(authority, addresses=["172.28.11.2"])
    now = dt.datetime.now(dt.UTC)
    monkeypatch.setattr(certs, "_now", lambda: now + dt.timedelta(days=certs.SERVER_DAYS - certs.RENEW_DAYS - 1))
    assert certs.usable(pair.certificate)
    monkeypatch.setattr(certs, "_now", lambda: now + dt.timedelta(days=certs.SERVER_DAYS - certs.RENEW_DAYS + 1))
    assert not certs.usable(pair.certificate)


def test_an_authority_of_another_subnet_is_told_apart(authority: certs.Pair) -> None:
    """When the lab moves to another subnet its old authority does not permit it."""
    assert certs.permits(authority.certificate, SUBNET)
    assert not certs.permits(authority.certificate, "172.28.12.0/24")
