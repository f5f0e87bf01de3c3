from __future__ import annotations

import socket

import pytest

from infra.adapters import registry
from infra.adapters.registry import image_error, refuse_silent
from infra.errors import ImageMissingError, RegistryError

REFERENCE = "registry.test:5000/acp/acp-ingest:v9"


@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("got bad response from registry: 404 Not Found", ImageMissingError, f"{REFERENCE} is not in the registry"),
        ("manifest unknown: manifest unknown", ImageMissingError, f"{REFERENCE} is not in the registry"),
        ("bad credentials: 401 Unauthorized", RegistryError, "the registry refused the login"),
        ("got bad response from registry: 403 Forbidden", RegistryError, "the registry refused the login"),
        (
            "Head https://registry.test:5000/v2/: tls: x509: certificate signed by unknown authority",
            RegistryError,
            "the registry's certificate is not trusted",
        ),
        (
            "Traceback …\n  File …\nException: dial tcp 10.0.0.1:5000: connect: connection refused\n",
            RegistryError,
            "the registry did not answer: Exception: dial tcp 10.0.0.1:5000: connect: connection refused",
        ),
        ("", RegistryError, "the registry did not answer: no reason given"),
    ],
)
def test_what_the_provider_says_becomes_our_words(text: str, kind: type[RegistryError], what: str) -> None:
    """Each observed failure of a look-up has its error, and a mend that says that nothing was changed."""
    error = image_error(REFERENCE, text)
    assert type(error) is kind
    assert error.what == what
    assert "nothing was changed" in error.mend.lower()


@pytest.mark.parametrize("number", ["401", "403", "404"])
def test_a_number_in_an_address_is_no_status(number: str) -> None:
    """A port or a digest with the digits of a status does not change the meaning."""
    error = image_error(REFERENCE, f"dial tcp 10.0.0.1:1{number}: connect: connection refused")
    assert error.what.startswith("the registry did not answer")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return the addresses that are connected to, none of which answers."""
    found: list[tuple[str, int]] = []

    def silent(address: tuple[str, int], *, timeout: float) -> socket.socket:
        assert timeout == registry.SILENT_SECONDS
        found.append(address)
        raise TimeoutError

    monkeypatch.setattr(registry, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", silent)
    return found


def test_a_silent_registry_is_refused(asked: list[tuple[str, int]]) -> None:
    """At its own port, or that of HTTPS."""
    for server in ("registry.test:5000", "registry.test"):
        with pytest.raises(RegistryError, match="did not answer in 10 s"):
            refuse_silent(server)
    assert asked == [("registry.test", 5000), ("registry.test", 443)]


def test_behind_a_proxy_nobody_is_asked(asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider goes through it, and a connection of our own might not come about."""
    monkeypatch.setattr(registry, "getproxies", lambda: {"https": "http://proxy.test:3128"})
    refuse_silent("registry.test:5000")
    assert asked == []


def test_a_refused_connection_is_the_providers_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails at once, there as here."""

    def refuse(_address: tuple[str, int], *, timeout: float) -> socket.socket:
        raise ConnectionRefusedError(timeout)

    monkeypatch.setattr(socket, "create_connection", refuse)
    refuse_silent("registry.test:5000")
