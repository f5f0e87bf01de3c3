from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest

from infra.errors import ToolError
from infra.lab.seed import derive, read_seed

if TYPE_CHECKING:
    from pathlib import Path

SEED = "00" * 31 + "01"


def test_derive_is_hmac_sha256_of_the_name() -> None:
    """A secret is the first 40 hex digits of HMAC-SHA256(seed, name)."""
    expected = hmac.new(bytes.fromhex(SEED), b"DATABASE_URL", hashlib.sha256).hexdigest()[:40]
    assert derive(SEED, "DATABASE_URL") == expected


def test_derive_differs_by_name_and_by_seed() -> None:
    """Another name or another seed gives another secret."""
    assert len({derive(SEED, "A"), derive(SEED, "B"), derive("02" * 32, "A")}) == 3


def test_read_seed_returns_what_the_file_holds(tmp_path: Path) -> None:
    """The seed is read without its line end."""
    (tmp_path / "seed").write_text(SEED + "\n")
    assert read_seed(tmp_path) == SEED


def test_read_seed_without_a_lab_says_how_to_get_one(tmp_path: Path) -> None:
    """A missing seed names the command that makes it."""
    with pytest.raises(ToolError, match="acp-release lab up"):
        read_seed(tmp_path)


@pytest.mark.parametrize("text", ["", "abcd", "zz" * 32])
def test_read_seed_refuses_a_damaged_one(tmp_path: Path, text: str) -> None:
    """A seed that is empty, short or no hex is refused, never padded."""
    (tmp_path / "seed").write_text(text)
    with pytest.raises(ToolError, match="damaged"):
        read_seed(tmp_path)
