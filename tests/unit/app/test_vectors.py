from __future__ import annotations

import random

import pytest
from acp_reference.ingest.vectors import SIGNATURE_BITS, dot, pack, signature, sparse, unit, unpack


def test_a_vector_survives_its_bytes() -> None:
    """What is packed is unpacked again, in 32 bits per number."""
    data = pack([0.5, -1.25, 3.0])

    assert len(data) == 12
    assert list(unpack(data)) == [0.5, -1.25, 3.0]


@pytest.mark.parametrize(
    ("left", "right", "similarity"),
    [([1, 0], [5, 0], 1), ([1, 0], [0, 2], 0), ([1, 0], [-3, 0], -1), ([3, 4], [4, 3], 0.96), ([0, 0], [1, 1], 0)],
)
def test_similarity_is_of_direction(left: list[float], right: list[float], similarity: float) -> None:
    """Length does not count, direction does, and a vector of zeros is like nothing."""
    assert dot(sparse(unit(left)), unit(right)) == pytest.approx(similarity)


def test_near_vectors_share_more_of_their_signature() -> None:
    """The signature selects what is near: a neighbour differs in fewer bits than a stranger."""
    generator = random.Random(1)  # noqa: S311 - the test needs the same numbers every time
    base = [generator.gauss(0, 1) for _ in range(64)]
    neighbour = [value + generator.gauss(0, 0.2) for value in base]
    stranger = [generator.gauss(0, 1) for _ in range(64)]

    def bits(vector: list[float]) -> str:
        return signature(sparse(vector), len(vector))

    def distance(other: list[float]) -> int:
        return sum(left != right for left, right in zip(bits(base), bits(other), strict=True))

    assert len(bits(base)) == SIGNATURE_BITS
    assert distance(base) == 0
    assert distance(neighbour) < distance(stranger)
