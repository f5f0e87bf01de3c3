"""Deliberate misbehaviour, chosen when an image is built, so that a bad release is a real image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Kind -> default amount; None means that the kind takes no amount.
_DEFAULT_AMOUNTS: Final[dict[str, float | None]] = {
    "none": None,
    "never-ready": None,
    "not-ready-200": None,
    "crash-loop": None,
    "ignore-sigterm": None,
    "flap": 0.7,
    "oom": 0.0,
    "slow": 400.0,
    "error-after": 0.0,
    "refuse-after": 0.0,
    "hang-after": 0.0,
    "leak": 1.0,
}


class FaultError(ValueError):
    """A fault text that names no known fault or has a bad amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault and its amount (milliseconds, requests, MB or seconds, depending on the kind)."""

    kind: str = "none"
    amount: float = 0.0

    def is_kind(self, *kinds: str) -> bool:
        """Tell whether this fault is one of `kinds`."""
        return self.kind in kinds


def parse_fault(text: str) -> Fault:
    """Read `kind` or `kind:amount`; raise FaultError naming what is wrong and what there is."""
    kind, colon, amount_text = text.strip().partition(":")
    kind = kind or "none"
    if kind not in _DEFAULT_AMOUNTS:
        message = f"ACP_FAULT: unknown fault {kind!r} (there are {', '.join(_DEFAULT_AMOUNTS)})"
        raise FaultError(message)
    default = _DEFAULT_AMOUNTS[kind]
    if not colon:
        return Fault(kind=kind, amount=default or 0.0)
    if default is None:
        message = f"ACP_FAULT: {kind} takes no amount (got {amount_text!r})"
        raise FaultError(message)
    try:
        amount = float(amount_text)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        message = f"ACP_FAULT: {kind} needs a number of 0 or more (got {amount_text!r})"
        raise FaultError(message)
    return Fault(kind=kind, amount=amount)


def flap_is_down(elapsed_seconds: float, half_period_seconds: float) -> bool:
    """Tell whether a flapping service is in a bad half period, `elapsed_seconds` after its start."""
    if half_period_seconds <= 0:
        return True
    return int(elapsed_seconds / half_period_seconds) % 2 == 1
