"""Embeddings as bytes, as short signatures for a first selection, and compared by cosine."""

from __future__ import annotations

import math
import random
from array import array
from functools import lru_cache
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNATURE_BITS: Final = 64
_SEED: Final = 20_250_401


def pack(vector: Sequence[float]) -> bytes:
    """Give a vector as 32-bit floats."""
    return array("f", vector).tobytes()


def unpack(data: bytes) -> array[float]:
    """Give back the vector that `pack` made bytes of."""
    vector = array("f")
    vector.frombytes(data)
    return vector


def cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """Give the cosine similarity of two vectors of one length, 0 if one of them is all zeros."""
    norms = math.sqrt(sum(map(mul, left, left)) * sum(map(mul, right, right)))
    return sum(map(mul, left, right)) / norms if norms else 0.0


def signature(vector: Sequence[float]) -> str:
    """Give a text of 64 bits of which near vectors share most (random hyperplanes, the same in every process)."""
    return "".join("1" if sum(map(mul, vector, plane)) >= 0 else "0" for plane in _planes(len(vector)))


@lru_cache(maxsize=4)
def _planes(dimensions: int) -> tuple[array[float], ...]:
    generator = random.Random(_SEED)  # noqa: S311  (not for secrets: it must be the same everywhere)
    return tuple(array("d", (generator.gauss(0, 1) for _ in range(dimensions))) for _ in range(SIGNATURE_BITS))
