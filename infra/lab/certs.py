"""The lab's certificate authority and the server certificates it signs."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

CA_DAYS = 1825
SERVER_DAYS = 90
RENEW_DAYS = 30
# The build machine trusts the authority, so it can vouch only for this machine and for names that never exist.
PERMITTED_DNS = ("test", "localhost")
PERMITTED_LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate with its private key, both PEM."""

    certificate: str
    key: str


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _start(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    """Return a builder with what every certificate has; valid from an hour ago, for clocks that differ."""
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    return Pair(
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def make_authority(name: str, subnet: str) -> Pair:
    """Make an authority called `name` that can vouch for `subnet`, loopback addresses and `.test` names only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    permitted: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_network(subnet)),
        x509.IPAddress(ipaddress.ip_network(PERMITTED_LOOPBACK)),
        *(x509.DNSName(dns) for dns in PERMITTED_DNS),
    ]
    certificate = (
        _start(subject, subject, key, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _pair(certificate, key)


def issue(authority: Pair, *, addresses: Sequence[str], names: Sequence[str] = ()) -> Pair:
    """Issue a server certificate for IP `addresses` and DNS `names`, signed by `authority`."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = load_pem_private_key(authority.key.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        msg = "the authority's key is not an EC key"
        raise TypeError(msg)
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    alternatives.extend(x509.DNSName(name) for name in names)
    certificate = (
        # OpenSSL holds a subject that looks like a host name against the permitted names, so this one does not.
        _start(_name("Lab server"), issuer.subject, key, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(certificate, key)


def usable(certificate: str, *, issuer: str | None = None, addresses: Sequence[str] = ()) -> bool:
    """Say whether a PEM certificate stays valid for 30 days, is signed by `issuer` and covers `addresses`."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
        if issuer is not None:
            parsed.verify_directly_issued_by(x509.load_pem_x509_certificate(issuer.encode()))
        if addresses:
            names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            covered = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
            if not covered.issuperset(addresses):
                return False
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is replaced
        return False
    return parsed.not_valid_after_utc > _now() + dt.timedelta(days=RENEW_DAYS)


def permits(certificate: str, subnet: str) -> bool:
    """Say whether an authority's PEM certificate may vouch for `subnet`."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate.encode())
        constraints = parsed.extensions.get_extension_for_class(x509.NameConstraints).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return x509.IPAddress(ipaddress.ip_network(subnet)) in (constraints.permitted_subtrees or [])
