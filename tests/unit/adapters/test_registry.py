from __future__ import annotations

import pytest

from infra.adapters.registry import image_error
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
