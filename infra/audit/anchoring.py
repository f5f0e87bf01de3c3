"""The anchor of a release under way: the chain goes on from the last recorded one, so that only what is new is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.adapters.backend import backend_url
from infra.adapters.backend_address import place_of
from infra.adapters.stack_history import open_history
from infra.audit.events import evidence_of
from infra.domain.anchor import Anchor, make_anchor
from infra.domain.chain import intent_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def anchor_release(
    stack: str, before: Mapping[str, Any], intent: Mapping[str, Any], environ: Mapping[str, str]
) -> Anchor:
    """Return the anchor of a release whose record will have `intent`; `before` is the anchor of the last one."""
    history = open_history(stack, environ)
    last = str(before.get("last") or "")
    since = history.updates(last)
    if last and not (since and since[0].id == last):
        since = history.updates()
    return make_anchor(
        before=before,
        since=evidence_of(history, since),
        backend=place_of(backend_url(environ)),
        release=str(intent["release"]),
        run_id=str(intent["run_id"]),
        intent=intent_of(intent),
    )
