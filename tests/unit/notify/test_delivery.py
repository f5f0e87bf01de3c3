from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.notify.delivery import DelayedError, RefusedError, checked_address, exchange, wanted_pause

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKEN = "T000/B000/s3cr3ttoken"
ADDRESS = f"https://hooks.example/services/{TOKEN}"


def ask(answer: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]) -> httpx.Response:
    """Make one request to a receiver that answers so."""

    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        return exchange(client, "POST", ADDRESS, redacted=lambda text: text.replace(TOKEN, "[redacted]"), json={"a": 1})


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_good_answer_is_returned(status: int) -> None:
    """Vendors accept with different codes."""
    assert ask(httpx.Response(status)).status_code == status


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_an_error_that_passes_is_a_delay(status: int) -> None:
    """Rate limits and errors of the server are tried again."""
    with pytest.raises(DelayedError, match=f"status {status}"):
        ask(httpx.Response(status))


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 410, 422])
def test_an_error_that_stays_is_a_refusal(status: int) -> None:
    """A wrong request or address stays wrong, and a redirect is not followed with a secret in hand."""
    with pytest.raises(RefusedError, match=f"status {status}"):
        ask(httpx.Response(status, headers={"location": "https://evil.example/"}))


def test_a_used_up_rate_limit_is_a_delay() -> None:
    """GitHub says 403 for it, with the moment at which the limit is renewed."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    with pytest.raises(DelayedError) as caught:
        ask(httpx.Response(403, headers=headers))
    assert caught.value.after_seconds == 3600


@pytest.mark.parametrize(
    "error", [httpx.ConnectError(ADDRESS), httpx.ReadError(ADDRESS), httpx.RemoteProtocolError(ADDRESS)]
)
def test_a_lost_connection_is_a_delay_without_the_address(error: Exception) -> None:
    """What the library says may quote the address, so only the kind of the error is said."""
    with pytest.raises(DelayedError, match=r"no connection \(\w+\)") as caught:
        ask(error)
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__} {caught.value.why}"


def test_no_answer_in_time_is_a_delay() -> None:
    """A receiver that hangs is tried again."""
    with pytest.raises(DelayedError, match="no answer in time"):
        ask(httpx.ReadTimeout(ADDRESS))


def test_a_quoted_answer_is_redacted_harmless_and_short() -> None:
    """A receiver that quotes the address, or answers with a page of markup, does no harm."""
    with pytest.raises(RefusedError) as caught:
        ask(httpx.Response(404, text=f"<h1>no {TOKEN}</h1>" + "x" * 9000))
    assert caught.value.why.startswith("status 404: (h1)no [redacted] (/h1)")
    assert len(caught.value.why) < 200


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 00:01:00 GMT"}, 60),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 45)}, 45),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(int(NOW.timestamp()) + 45)}, 0),
    ],
)
def test_the_wanted_pause_is_read_from_the_headers(headers: dict[str, str], seconds: float) -> None:
    """Seconds, dates and GitHub's limits are understood; nonsense asks for nothing."""
    assert wanted_pause(headers, NOW) == seconds


@pytest.mark.parametrize("address", ["https://hooks.example/x", "http://127.0.0.1:80/x", "http://localhost/x"])
def test_https_and_this_machine_are_good_addresses(address: str) -> None:
    """A secret address goes over TLS, or nowhere."""
    assert checked_address(address, "SLACK_URL") == address


@pytest.mark.parametrize(
    "address", ["", "hooks.example/s3cr3t", "ftp://x/s3cr3t", "http://hooks.example/s3cr3t", "https://[x"]
)
def test_another_address_is_refused_by_the_name_of_its_secret(address: str) -> None:
    """The error names the variable and not its value."""
    with pytest.raises(RefusedError, match="SLACK_URL is") as caught:
        checked_address(address, "SLACK_URL")
    assert "s3cr3t" not in str(caught.value)
