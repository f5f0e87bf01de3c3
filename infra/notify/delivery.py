"""What came of handing a notice over: nothing to say, an error that passes, or one that stays."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from infra.domain.notices.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""A request that is given up may have arrived, and would then be made twice: so there is time for an answer."""
EXCERPT_LENGTH = 160
LONGEST_WAIT_SECONDS = 3600.0
PASSING = frozenset({408, 421, 425, 429})
LOOPBACK = ("127.", "localhost", "::1")
USER_AGENT = "acp-release"


class DelayedError(Exception):
    """The receiver could not take the notice now; `after_seconds` is what it asked to wait."""

    def __init__(self, why: str, after_seconds: float = 0.0) -> None:
        """Keep why, in words without any address."""
        super().__init__(why)
        self.why = why
        self.after_seconds = min(after_seconds, LONGEST_WAIT_SECONDS)


class RefusedError(Exception):
    """The receiver will not take the notice, however often it is tried."""

    def __init__(self, why: str) -> None:
        """Keep why, in words without any address."""
        super().__init__(why)
        self.why = why


def new_client() -> httpx.Client:
    """Return a client that goes through the environment's proxy, if there is one, and follows no redirect."""
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(timeout=timeout, headers={"User-Agent": USER_AGENT}, follow_redirects=False)


def checked_address(address: str, name: str) -> str:
    """Return a web address; raise `RefusedError` naming the secret when it is none, or would be sent in clear."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"https", "http"} or not host:
        raise RefusedError(f"{name} is no web address")
    if parts.scheme == "http" and not host.startswith(LOOPBACK):
        raise RefusedError(f"{name} is an http address; only https keeps it secret")
    return address


def exchange(
    client: httpx.Client,
    method: str,
    address: str,
    *,
    redacted: Callable[[str], str],
    headers: Mapping[str, str] | None = None,
    **body: Any,
) -> httpx.Response:
    """Make one request and return a good answer; raise what stands in its way."""
    try:
        response = client.request(method, address, headers=dict(headers or {}), **body)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise RefusedError("the address is none") from None
    except httpx.TimeoutException:
        raise DelayedError("no answer in time") from None
    except httpx.HTTPError as error:
        # Its text may quote the address; its kind says enough.
        raise DelayedError(f"no connection ({type(error).__name__})") from None
    if response.is_success:
        return response
    why = f"status {response.status_code}: {plain(redacted(response.text[:4000]), EXCERPT_LENGTH)}".rstrip(": ")
    if _passes(response):
        raise DelayedError(why, wanted_pause(response.headers, datetime.now(UTC)))
    raise RefusedError(why)


def _passes(response: httpx.Response) -> bool:
    """Return whether the same request may succeed later; GitHub answers 403 when a rate limit is used up."""
    limited = "retry-after" in response.headers or response.headers.get("x-ratelimit-remaining") == "0"
    return response.status_code in PASSING or response.is_server_error or (limited and response.is_client_error)


def wanted_pause(headers: Mapping[str, str], now: datetime) -> float:
    """Return the seconds that `Retry-After` (seconds or a date) or GitHub's rate-limit headers ask for."""
    wanted = headers.get("retry-after", "").strip()
    if wanted.isdigit():
        return float(wanted)
    if wanted:
        try:
            return max(0.0, (parsedate_to_datetime(wanted) - now).total_seconds())
        except (TypeError, ValueError):
            return 0.0
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(0.0, float(reset) - now.timestamp())
    return 0.0
