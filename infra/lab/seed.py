"""The seed of a lab, from which every secret of a disposable stack is derived."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from infra.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

SEED_BYTES = 32
SECRET_LENGTH = 40


def derive(seed: str, name: str) -> str:
    """Return the secret `name` of a lab: 40 hex digits, always the same for one seed (hex) and name."""
    digest = hmac.new(bytes.fromhex(seed), name.encode(), hashlib.sha256).hexdigest()
    return digest[:SECRET_LENGTH]


def read_seed(folder: Path) -> str:
    """Return the seed kept in the lab `folder` as hex; raise `ToolError` when there is none or it is damaged."""
    path = folder / "seed"
    try:
        seed = path.read_text(encoding="ascii").strip()
        complete = len(bytes.fromhex(seed)) == SEED_BYTES
    except FileNotFoundError:
        raise ToolError("this checkout has no lab", where=str(path), mend="run `acp-release lab up`") from None
    except ValueError:
        complete = False
    if not complete:
        mend = "run `acp-release lab down`, then `acp-release lab up`"
        raise ToolError("the seed of the lab is damaged", where=str(path), mend=mend)
    return seed
