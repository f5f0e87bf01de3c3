from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from infra.lab.model import answers


def _likeness(left: str, right: str) -> float:
    return sum(a * b for a, b in zip(answers.embed(left), answers.embed(right), strict=True))


def test_an_embedding_is_a_unit_vector_and_always_the_same() -> None:
    """256 numbers of length one, the same for the same text."""
    vector = answers.embed("The quarterly report of the analyst")
    assert len(vector) == 256
    assert sum(value * value for value in vector) == pytest.approx(1)
    assert vector == answers.embed("The quarterly report of the analyst")


def test_texts_that_share_words_are_near() -> None:
    """A question is nearer to the text with its words than to another one."""
    question = "revenue of the northern region"
    assert _likeness(question, "In spring the revenue of the northern region rose") > 0.5
    assert _likeness(question, "Penguins cannot fly") < 0.3


def test_an_empty_text_has_an_embedding_too() -> None:
    """A text without words gets a unit vector, not a division by zero."""
    assert sum(value * value for value in answers.embed("")) == pytest.approx(1)


def test_embeddings_answer_in_order_and_in_both_encodings() -> None:
    """A list of texts is answered in its order; base64 holds the same numbers as 32-bit floats."""
    plain = answers.embeddings({"input": ["a b", "c"], "model": "m"})
    packed = answers.embeddings({"input": ["a b", "c"], "encoding_format": "base64"})
    assert [entry["index"] for entry in plain["data"]] == [0, 1]
    assert plain["model"] == "m"
    unpacked = struct.unpack("<256f", base64.b64decode(packed["data"][1]["embedding"]))
    assert list(unpacked) == pytest.approx(plain["data"][1]["embedding"])


@pytest.mark.parametrize("request_", [{}, {"input": []}, {"input": [1]}, {"input": "a", "dimensions": 0}])
def test_embeddings_refuse_what_they_cannot_mean(request_: dict[str, Any]) -> None:
    """A request without texts, or with an impossible size, is refused with the field's name."""
    with pytest.raises(answers.RequestError, match=r"^(input|dimensions):"):
        answers.embeddings(request_)


def test_a_chat_answer_depends_on_the_whole_conversation() -> None:
    """The same conversation gives the same answer, another one another, and the question is quoted."""
    ask = {"messages": [{"role": "user", "content": "What rose in spring?"}]}
    more = {"messages": [{"role": "system", "content": "Be brief"}, *ask["messages"]]}
    assert answers.completion(ask) == answers.completion(ask)
    assert answers.reply(ask) != answers.reply(more)
    assert "What rose in spring?" in answers.reply(ask)


def test_a_streamed_answer_is_the_whole_answer() -> None:
    """The parts of a stream put together are the answer that is not streamed."""
    ask = {"messages": [{"role": "user", "content": [{"type": "text", "text": "one two"}]}]}
    parts = [part["choices"][0]["delta"].get("content", "") for part in answers.chunks(ask)]
    assert "".join(parts).strip() == answers.reply(ask)
    assert answers.chunks(ask)[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("messages", [None, [], ["text"]])
def test_a_chat_without_messages_is_refused(messages: Any) -> None:
    """A request without a list of messages is refused."""
    with pytest.raises(answers.RequestError, match="messages"):
        answers.reply({"messages": messages})
