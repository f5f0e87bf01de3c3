"""Client of OpenAI-style endpoints: embeddings and chat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from acp_reference.core.settings import Settings

_TIMEOUT: Final = httpx.Timeout(60.0, connect=3.0)
_NOT_FOUND_CODES: Final = (404, 405)


class ModelError(Exception):
    """The endpoint cannot be reached or gave something else than what was asked for."""


class ModelClient:
    """Asks the embedding endpoint and the LLM endpoint of the settings."""

    def __init__(self, settings: Settings) -> None:
        """Open a connection pool; close it with `aclose`."""
        self._settings = settings
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {settings.openai_api_key}"},
            # What goes to these endpoints is named by the settings alone, not by proxy variables of a machine.
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Give one embedding for each text, in order."""
        body = {"model": self._settings.embedding_model, "input": list(texts)}
        answer = await self._post(f"{self._settings.embedding_endpoint}/embeddings", body)
        try:
            rows = sorted(answer["data"], key=lambda row: int(row["index"]))
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            message = f"embedding endpoint gave an answer without embeddings ({type(error).__name__})"
            raise ModelError(message) from error
        if len(vectors) != len(texts) or not all(vectors):
            message = f"embedding endpoint gave {len(vectors)} embeddings for {len(texts)} texts"
            raise ModelError(message)
        return vectors

    async def chat(self, system: str, user: str) -> str:
        """Give the answer of the LLM to one question."""
        body = {
            "model": self._settings.llm_model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }
        answer = await self._post(f"{self._settings.llm_endpoint}/chat/completions", body)
        try:
            return str(answer["choices"][0]["message"]["content"])
        except (KeyError, TypeError, IndexError) as error:
            message = f"LLM endpoint gave an answer without a message ({type(error).__name__})"
            raise ModelError(message) from error

    async def check_llm(self) -> None:
        """Raise ModelError unless the LLM endpoint answers and takes the key."""
        await self._check(self._settings.llm_endpoint)

    async def check_embedding(self) -> None:
        """Raise ModelError unless the embedding endpoint answers and takes the key."""
        await self._check(self._settings.embedding_endpoint)

    async def _check(self, endpoint: str) -> None:
        try:
            response = await self._http.get(f"{endpoint}/models", timeout=2.0)
        except httpx.HTTPError as error:
            raise ModelError(type(error).__name__) from error
        # An endpoint need not list its models; one that says so is there.
        if response.is_error and response.status_code not in _NOT_FOUND_CODES:
            message = f"HTTP {response.status_code}"
            raise ModelError(message)

    async def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = await self._http.post(url, json=body)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except httpx.HTTPStatusError as error:
            message = f"model endpoint answered HTTP {error.response.status_code}"
            raise ModelError(message) from error
        except (httpx.HTTPError, ValueError) as error:
            message = f"model endpoint: {type(error).__name__}"
            raise ModelError(message) from error
        return answer
