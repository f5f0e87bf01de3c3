"""What the endpoint answers: the same to the same question, always; pure."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from typing import Any

CHAT_MODEL = "lab-chat"
EMBEDDING_MODEL = "lab-embedding"
DIMENSIONS = 256
MAX_DIMENSIONS = 4096
_WORD = re.compile(r"\w+")
_QUOTED_WORDS = 40


class RequestError(Exception):
    """A request the API refuses; the text says why."""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the unit vector of a text's hashed words: texts that share words are near each other."""
    vector = [0.0] * dimensions
    for word in _words(text):
        digest = hashlib.sha256(word.encode()).digest()
        # A sign of its own per word keeps different words that share a slot from looking alike.
        vector[int.from_bytes(digest[:4], "big") % dimensions] += 1.0 if digest[4] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else [1.0, *vector[1:]]


def _inputs(request: dict[str, Any]) -> list[str]:
    """Return the texts of an embeddings request."""
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        msg = "input: must be a text or a list of texts"
        raise RequestError(msg)
    return texts


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    """Answer `POST /v1/embeddings`; `encoding_format` is `float` or `base64`."""
    texts = _inputs(request)
    dimensions = request.get("dimensions", DIMENSIONS)
    if not isinstance(dimensions, int) or not 1 <= dimensions <= MAX_DIMENSIONS:
        msg = f"dimensions: must be 1..{MAX_DIMENSIONS}"
        raise RequestError(msg)
    encoded = request.get("encoding_format") == "base64"

    def shape(vector: list[float]) -> list[float] | str:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if encoded else vector

    data = [
        {"object": "embedding", "index": index, "embedding": shape(embed(text, dimensions))}
        for index, text in enumerate(texts)
    ]
    tokens = sum(len(_words(text)) for text in texts)
    model = str(request.get("model") or EMBEDDING_MODEL)
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def _content(message: dict[str, Any]) -> str:
    """Return the text of a chat message, whose content is a text or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def reply(request: dict[str, Any]) -> str:
    """Return what the assistant says: a digest of the whole conversation and the first words of the last question."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(entry, dict) for entry in messages):
        msg = "messages: must be a list of at least one message"
        raise RequestError(msg)
    conversation = "\n".join(f"{entry.get('role')}: {_content(entry)}" for entry in messages)
    asked = [_content(entry) for entry in messages if entry.get("role") == "user"]
    quoted = " ".join((asked[-1] if asked else conversation).split()[:_QUOTED_WORDS])
    return f"[{hashlib.sha256(conversation.encode()).hexdigest()[:12]}] On the question: {quoted}"


def completion(request: dict[str, Any]) -> dict[str, Any]:
    """Answer `POST /v1/chat/completions`."""
    text = reply(request)
    prompt = sum(len(_words(_content(entry))) for entry in request["messages"])
    answered = len(_words(text))
    return {
        "id": f"chatcmpl-{hashlib.sha256(text.encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": str(request.get("model") or CHAT_MODEL),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": answered, "total_tokens": prompt + answered},
    }


def chunks(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a streamed chat answer, one word each, the last without content."""
    whole = completion(request)
    text = whole["choices"][0]["message"]["content"]
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def part(delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    words = [part({"content": f"{word} "}, None) for word in text.split()]
    return [part({"role": "assistant"}, None), *words, part({}, "stop")]


def models() -> dict[str, Any]:
    """Answer `GET /v1/models`."""
    head = {"object": "model", "created": 0, "owned_by": "lab"}
    return {"object": "list", "data": [{"id": name, **head} for name in (CHAT_MODEL, EMBEDDING_MODEL)]}
