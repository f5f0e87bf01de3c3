from __future__ import annotations

import ssl
from ssl import TLSVersion
from typing import TYPE_CHECKING, Any

import pytest

from infra.checks.blame import at_fault
from infra.checks.suite import BY_HAND, Occasion, examine
from infra.checks.tls import trust
from infra.errors import SettingsError
from tests.support.certificates import Authority, server_context, shaking_hands
from tests.support.fake_app import FakeApp, served
from tests.support.settings import HOST_KEY, make_settings
from tests.support.subject import make_subject, quick_settings

if TYPE_CHECKING:
    from pathlib import Path

    from infra.checks.result import CheckResult
    from infra.settings import Settings

NAME = "copilot.example.test"
TLS = Occasion(checks=("tls",))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that the stack names."""
    return Authority(tmp_path)


def settings_of(port: int, ca_file: str | None, **checks: Any) -> Settings:
    """Return a stack with TLS on a loopback port."""
    host = {"name": "h1", "address": "127.0.0.1", "host_key": HOST_KEY, "ports": {443: port}}
    tls = {"certificate_file": "/etc/acp/tls.pem", "server_name": NAME, "ca_file": ca_file}
    return make_settings(hosts=[host], edge={"tls": tls}, checks={"suite": {"tls": checks}})


def check(context: ssl.SSLContext | None, ca_file: str | None, **checks: Any) -> CheckResult:
    """Return the verdict on a server that shakes hands like this."""
    with shaking_hands(context) as port:
        (result,) = examine(make_subject(settings_of(port, ca_file, **checks)), TLS).results
        return result


def modern(authority: Authority, name: str = NAME, *, days: float = 90.5) -> ssl.SSLContext:
    """Return a server with a certificate that ends in so many days."""
    return server_context(authority.sign(name, days=days), oldest=TLSVersion.TLSv1_2, newest=TLSVersion.TLSv1_3)


def test_a_good_certificate_passes(authority: Authority) -> None:
    """Chain, name, days and protocol are as they should be, and are said."""
    result = check(modern(authority), str(authority.ca_file))
    assert (result.passed, result.came) == (True, "TLSv1.3, 90 days left")


@pytest.mark.parametrize(
    ("days", "least", "came"),
    [
        pytest.param(-1, 14, "the certificate is refused: certificate has expired", id="expired"),
        pytest.param(13.2, 14, "13 days are left, 14 must be", id="nearly"),
        pytest.param(20.2, 21, "20 days are left, 21 must be", id="as the stack says"),
    ],
)
def test_an_old_certificate_is_red(authority: Authority, days: float, least: int, came: str) -> None:
    """One that has ended, or ends too soon, is named, and the certificate is at fault."""
    result = check(modern(authority, days=days), str(authority.ca_file), min_days_left=least)
    assert (result.passed, result.came) == (False, came)
    assert at_fault([result]) == ["certificate"]


@pytest.mark.parametrize(("days", "fault"), [(90.5, []), (-1, ["certificate"])])
def test_an_expired_certificate_explains_all_that_fails_with_it(
    authority: Authority, days: float, fault: list[str]
) -> None:
    """Over TLS all is asked under the stack's authority; once the certificate has ended, it alone is at fault."""
    app, context = FakeApp(), modern(authority, days=days)
    with served(app, context) as ports, shaking_hands(context) as port:
        tls = {"certificate_file": "/etc/acp/tls.pem", "server_name": NAME, "ca_file": str(authority.ca_file)}
        settings = quick_settings({**ports, "tls": port}, edge={"tls": tls})
        found = examine(make_subject(settings), BY_HAND)
    assert at_fault(found.results) == fault, [str(result) for result in found.results if not result.passed]
    assert {result.check for result in found.results if not result.passed} >= ({"health", "tls"} if fault else set())


def test_a_certificate_just_long_enough_passes(authority: Authority) -> None:
    """The limit itself is good."""
    assert check(modern(authority, days=14.2), str(authority.ca_file)).passed


def test_a_certificate_for_another_name_is_red(authority: Authority) -> None:
    """The public name must stand in it."""
    result = check(modern(authority, "other.example.test"), str(authority.ca_file))
    assert not result.passed
    assert "Hostname mismatch" in result.came


def test_a_certificate_of_an_unknown_authority_is_red(authority: Authority, tmp_path: Path) -> None:
    """Neither the system's authorities nor the stack's vouch for it."""
    for known in (None, str(Authority(tmp_path / "other").ca_file)):
        result = check(modern(authority), known)
        assert not result.passed
        assert "the certificate is refused: unable to get local issuer certificate" in result.came


@pytest.mark.parametrize(
    ("oldest", "newest", "came"),
    [
        pytest.param(TLSVersion.TLSv1_1, TLSVersion.TLSv1_1, "no handshake: ", id="nothing newer"),
        pytest.param(TLSVersion.TLSv1_1, TLSVersion.TLSv1_3, "the server still accepts TLSv1.1", id="old one, too"),
    ],
)
def test_an_old_protocol_is_red(authority: Authority, oldest: TLSVersion, newest: TLSVersion, came: str) -> None:
    """TLS before 1.2 must not be all there is, and not even be accepted."""
    result = check(server_context(authority.sign(NAME, days=90), oldest=oldest, newest=newest), str(authority.ca_file))
    assert not result.passed
    assert result.came.startswith(came)


def test_a_port_without_tls_is_red(authority: Authority) -> None:
    """A server that speaks something else is said to do so."""
    result = check(None, str(authority.ca_file))
    assert (result.passed, result.came.startswith("no handshake: ")) == (False, True)


def test_nobody_there_is_red(authority: Authority) -> None:
    """A closed port is no certificate."""
    (result,) = examine(make_subject(settings_of(1, str(authority.ca_file))), TLS).results
    assert (result.passed, result.came) == (False, "no answer (ConnectionRefusedError)")


def test_a_stack_without_tls_is_not_asked() -> None:
    """Where nothing is encrypted there is no certificate to judge."""
    assert examine(make_subject(make_settings()), TLS).results == ()


def test_an_authority_that_is_not_there_names_the_setting() -> None:
    """A CA file that cannot be read is a problem of the stack file."""
    with pytest.raises(SettingsError, match=r"edge\.tls\.ca_file: /no/such/ca\.pem: No such file or directory"):
        trust(settings_of(1, "/no/such/ca.pem"))
