"""Client of the knowledge service: search in what acp-ingest holds."""

from __future__ import annotations

from typing import Any, Final

import httpx

_TIMEOUT: Final = httpx.Timeout(15.0, connect=3.0)


class KnowledgeError(Exception):
    """The knowledge service cannot be reached or refuses."""


class KnowledgeClient:
    """Asks the acp-ingest of the same release."""

    def __init__(self, url: str, *, release: str) -> None:
        """Open a connection pool; close it with `aclose`."""
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_TIMEOUT, trust_env=False, headers={"User-Agent": f"acp-agents {release}"}
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def search(self, query: str, *, limit: int) -> list[dict[str, Any]]:
        """Give the best chunks for `query`, best first."""
        try:
            response = await self._http.post("/api/v1/search", json={"query": query[:4000], "limit": limit})
            response.raise_for_status()
            results: list[dict[str, Any]] = response.json()["results"]
        except httpx.HTTPStatusError as error:
            message = f"knowledge service answered HTTP {error.response.status_code}"
            raise KnowledgeError(message) from error
        except (httpx.HTTPError, ValueError, KeyError) as error:
            message = f"knowledge service: {type(error).__name__}"
            raise KnowledgeError(message) from error
        return results

    async def check(self) -> None:
        """Raise KnowledgeError unless the service says `ready` in its body."""
        try:
            response = await self._http.get("/health/ready", timeout=2.0)
            status = response.json().get("status")
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            raise KnowledgeError(type(error).__name__) from error
        if response.is_error or status != "ready":
            message = f"HTTP {response.status_code}, status {status}"
            raise KnowledgeError(message)
