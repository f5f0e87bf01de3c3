"""The repair of `acp-release status --repair`: every host brought to what its state says, one after the other."""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Any

import click

from infra.adapters.pulumi_cli import secret_output
from infra.domain.release import fingerprint
from infra.errors import ReleaseError, SecretMissingError, ToolError
from infra.paths import PROJECT_ROOT
from infra.rollout.context import host_clients
from infra.settings.secrets import read_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.settings import Settings

REPAIR_TIMEOUT_SECONDS = 600.0


def repair_hosts(settings: Settings, outputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Repair host after host, so that no two are without a container at once; return what each found, or its error."""
    secrets, login = _what_making_needs(settings, outputs)
    results = []
    for client in host_clients(settings):
        name = client.host.name
        _say(f"{name}: repairing")
        try:
            answer = client.call(
                "repair",
                timeout_seconds=REPAIR_TIMEOUT_SECONDS,
                on_progress=_progress(name),
                secrets=secrets,
                registry=login,
            )
            results.append({"host": name, "found": answer["found"], "left": answer["left"], "error": None})
        except ReleaseError as error:
            _say(f"{name}: not repaired: {error}")
            results.append({"host": name, "found": [], "left": [], "error": error.what})
    return results


def _what_making_needs(settings: Settings, outputs: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str] | None]:
    """Return the secrets and the login with which lost containers are made again; none without the release's own."""
    try:
        values = read_secrets(settings, os.environ, root=PROJECT_ROOT)
    except SecretMissingError as error:
        _say(f"without secrets (lost containers stay lost): {error.what}")
        return {}, None
    registry = settings.registry
    login = {"server": registry.server, "username": registry.username, "password": values["REGISTRY_PASSWORD"]}
    secrets = values.subset(settings.secrets.names)
    try:
        changed = changed_secrets(secrets, outputs, settings.stack)
    except ToolError as error:
        _say(f"without secrets (lost containers stay lost): they cannot be compared with the release's: {error}")
        return {}, login
    if changed:
        _say(f"without secrets (lost containers stay lost): {', '.join(changed)} changed since the release")
        return {}, login
    return secrets, login


def changed_secrets(secrets: Mapping[str, str], outputs: Mapping[str, Any], stack: str) -> list[str]:
    """Return the names of secrets whose value is not the one that the release in service was made with.

    Raises `ToolError` when the key of the release's fingerprints cannot be read.
    """
    then = (outputs.get("release_entry") or {}).get("fingerprints") or {}
    key = secret_output(stack, "fingerprint_key") if then else ""
    return [
        name
        for name, value in sorted(secrets.items())
        if name in then and not hmac.compare_digest(then[name], fingerprint(key, name, value))
    ]


def _progress(host: str) -> Callable[[str, str], None]:
    """Return what shows a host's progress."""
    return lambda _phase, message: _say(f"{host}: {message}")


def _say(text: str) -> None:
    """Tell on standard error how it goes; standard output has the result alone."""
    click.echo(text, err=True)
