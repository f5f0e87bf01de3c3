"""`journal`: what this host did last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..fields import Fields
    from ..host import Host

MOST_LINES = 2000


def run(host: Host, fields: Fields) -> dict[str, Any]:
    """Return the last entries, oldest first."""
    lines = fields.integer("lines", 50, least=1, most=MOST_LINES)
    fields.done()
    return {"entries": host.journal.tail(lines)}
