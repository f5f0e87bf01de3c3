"""Embeddings as bytes, as short signatures for a first selection, and compared by cosine.

Embeddings of short texts are mostly zeros with some models, so work is done only for the numbers that are not.
"""

from __future__ import annotations

import math
import random
from array import array
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Sparse = tuple[tuple[int, float], ...]

SIGNATURE_BITS: Final = 256
_SEED: Final = 20_250_401


def unit(vector: Sequence[float]) -> list[float]:
    """Give the vector of length 1 in the same direction; all zeros stay as they are."""
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else list(vector)


def sparse(vector: Sequence[float]) -> Sparse:
    """Give the numbers that are not zero, each with its place."""
    return tuple((index, value) for index, value in enumerate(vector) if value)


def dot(left: Sparse, right: Sequence[float]) -> float:
    """Give the scalar product; of two unit vectors that is their cosine similarity."""
    return sum([value * right[index] for index, value in left])


def pack(vector: Sequence[float]) -> bytes:
    """Give a vector as 32-bit floats."""
    return array("f", vector).tobytes()


def unpack(data: bytes) -> array[float]:
    """Give back the vector that `pack` made bytes of."""
    vector = array("f")
    vector.frombytes(data)
    return vector


def signature(vector: Sparse, dimensions: int) -> str:
    """Give a text of 256 bits of which near vectors share most (random hyperplanes, the same in every process)."""
    return "".join("1" if dot(vector, plane) >= 0 else "0" for plane in _planes(dimensions))


@lru_cache(maxsize=4)
def _planes(dimensions: int) -> tuple[tuple[float, ...], ...]:
    generator = random.Random(_SEED)  # noqa: S311  (not for secrets: it must be the same everywhere)
    return tuple(tuple(generator.gauss(0, 1) for _ in range(dimensions)) for _ in range(SIGNATURE_BITS))
