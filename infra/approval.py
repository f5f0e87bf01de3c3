"""An approved release and no other: the last look, inside the update itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.errors import GateError
from infra.settings.load import APPROVED_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.domain.release import Release
    from infra.sources import Source


def approved(source: Source, environ: Mapping[str, str]) -> Source:
    """Return `source` with a release that fails the update, before any host, unless it is the approved one.

    `acp-release apply` names it (`ACP_APPROVED_RELEASE`), as a tag may move between its own look and the update.
    """
    wanted = environ.get(APPROVED_VARIABLE)
    return replace(source, release=source.release.apply(lambda release: check(release, wanted))) if wanted else source


def check(release: Release, wanted: str) -> Release:
    """Return the release; raise `GateError` when another one was approved."""
    if release.id != wanted:
        raise GateError(
            f"{wanted} was approved, and this would be {release.id}",
            mend="make a new preview and have it approved; no host was changed",
        )
    return release
