"""The scan of one image in an update: made now, or, while the registry is down, the one that is recorded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from infra.adapters.trivy import Login
from infra.checks.gate import ScanRequest, scan_image
from infra.checks.offline import registry_is_silent
from infra.paths import PROJECT_ROOT
from infra.settings.load import settings_of
from infra.settings.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def scan_or_recall(props: Mapping[str, Any], show: Callable[[str], None]) -> dict[str, Any]:
    """Return the report of `props["image"]`; raise `GateError` when it is blocked."""
    settings = settings_of(props)
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    known: dict[str, Any] | None = props.get("recorded")
    if known and registry_is_silent(settings, secrets):
        show(f"gate: {known['name']} was scanned at {known['scanned_at']}, and the registry does not answer now")
        return known
    own = props["image"].startswith(f"{settings.registry.server}/")
    username, password = (settings.registry.username, secrets["REGISTRY_PASSWORD"]) if own else ("", "")
    request = ScanRequest(
        name=props["name"],
        image=props["image"],
        settings=settings,
        login=Login(username=username, password=password),
        accept_risk=props["accept_risk"],
    )
    return scan_image(request, show)
