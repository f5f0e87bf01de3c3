"""The state of every prerequisite as text, for a machine on which nothing is installed yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.toolchain import prerequisites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.toolchain.places import Places
    from infra.toolchain.step import State


def collect(places: Places) -> list[tuple[str, State]]:
    """Return the name and the state of every prerequisite."""
    return [(step.name, step.state()) for step in prerequisites.everything(places)]


def as_json(states: Sequence[tuple[str, State]]) -> str:
    """Return `{"ready": …, "prerequisites": [{"name", "ready", "detail", "mend"}]}`."""
    rows = [{"name": name, "ready": s.ready, "detail": s.detail, "mend": s.mend} for name, s in states]
    return json.dumps({"ready": all(s.ready for _, s in states), "prerequisites": rows}, indent=2)


def as_text(states: Sequence[tuple[str, State]]) -> str:
    """Return one line per prerequisite, and under a missing one its mend."""
    width = max(len(name) for name, _ in states)
    lines = []
    for name, state in states:
        lines.append(f"{'ready  ' if state.ready else 'MISSING'}  {name:<{width}}  {state.detail}")
        if not state.ready:
            lines.append(f"{'':7}  {'':<{width}}  mend: {state.mend}")
    return "\n".join(lines)
