"""Embeddings of questions, remembered: the same question is asked often and always has the same embedding."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]

_MOST_REMEMBERED: Final = 256


class QuestionEmbeddings:
    """Asks for the embedding of a question once, and forgets the ones not asked for longest."""

    def __init__(self, embed: Embed, *, most: int = _MOST_REMEMBERED) -> None:
        """Ask `embed` for what is not remembered."""
        self._embed = embed
        self._most = most
        self._known: OrderedDict[str, list[float]] = OrderedDict()

    async def embed(self, question: str) -> list[float]:
        """Give the embedding of `question`."""
        if question not in self._known:
            [self._known[question]] = await self._embed([question])
        self._known.move_to_end(question)
        vector = self._known[question]
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return vector
