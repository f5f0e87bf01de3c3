from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from acp_reference.ingest.questions import QuestionEmbeddings

if TYPE_CHECKING:
    from collections.abc import Sequence


def asked_for(questions: Sequence[str], *, most: int = 10) -> list[str]:
    """Embed the questions one after the other and give those that reached the endpoint."""
    asked: list[str] = []

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        asked.extend(texts)
        return [[float(len(text))] for text in texts]

    async def run() -> None:
        remembered = QuestionEmbeddings(embed, most=most)
        for question in questions:
            assert await remembered.embed(question) == [float(len(question))]

    asyncio.run(run())
    return asked


def test_a_question_is_embedded_once() -> None:
    """A repeated question costs no call."""
    assert asked_for(["one", "three", "one", "one"]) == ["one", "three"]


def test_the_question_not_asked_longest_is_forgotten() -> None:
    """Memory is bounded, and what is still asked stays."""
    assert asked_for(["one", "two", "one", "three", "one", "two"], most=2) == ["one", "two", "three", "two"]


def test_a_failure_is_not_remembered() -> None:
    """After an outage of the endpoint the next call asks again."""
    calls: list[int] = []

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError
        return [[1.0]]

    async def run() -> list[float]:
        remembered = QuestionEmbeddings(embed)
        with pytest.raises(ConnectionError):
            await remembered.embed("one")
        return await remembered.embed("one")

    assert asyncio.run(run()) == [1.0]
