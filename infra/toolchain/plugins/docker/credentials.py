"""The provider's `registryAuth`: which login belongs to which registry."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.toolchain.plugins.common.failure import PluginError


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A registry's address with its scheme, and the login for it; an empty user name means none."""

    address: str
    username: str = ""
    password: str = field(default="", repr=False)

    def basic(self) -> str:
        """Return the value of an `Authorization` header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def parse_logins(entries: list[dict[str, Any]]) -> dict[str, Login]:
    """Return the logins by registry host; a config file is read now."""
    logins = {}
    for entry in entries:
        address = entry["address"]
        if not address.startswith(("http://", "https://")):
            address = f"https://{address}"
        host = registry_host(address)
        username, password = _user_and_password(entry, host)
        logins[host] = Login(address=f"{address.partition('://')[0]}://{host}", username=username, password=password)
    return logins


def registry_host(address: str) -> str:
    """Return the host and port of a registry's address."""
    return address.partition("://")[2].partition("/")[0]


def _user_and_password(entry: dict[str, Any], host: str) -> tuple[str, str]:
    """Return one entry's login: given, or from a Docker config."""
    if entry.get("authDisabled"):
        return "", ""
    username = entry.get("username") or os.environ.get("DOCKER_REGISTRY_USER", "")
    if username:
        return username, entry.get("password") or os.environ.get("DOCKER_REGISTRY_PASS", "")
    if entry.get("configFileContent"):
        return _from_config(entry["configFileContent"], host)
    path = Path(entry.get("configFile") or os.environ.get("DOCKER_CONFIG") or "~/.docker/config.json").expanduser()
    if path.is_dir():
        path /= "config.json"
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        message = (
            f"Error loading registry auth config: could not open config file from filePath: {path}. Error: {error}"
        )
        raise PluginError(message) from None
    return _from_config(content, host)


def _from_config(content: str, host: str) -> tuple[str, str]:
    """Return the login for `host` in a Docker config; credential helpers are not asked."""
    try:
        auths = json.loads(content).get("auths", {})
        found: dict[str, str] = next(
            (auth for name, auth in auths.items() if registry_host(_with_scheme(name)) == host), {}
        )
        login = base64.b64decode(found.get("auth", "")).decode()
    except (ValueError, AttributeError):
        message = f"Error loading registry auth config: couldn't find registry config for '{host}' in file content"
        raise PluginError(message) from None
    username, _, password = login.partition(":")
    return username, password


def _with_scheme(address: str) -> str:
    """Return an address that has a scheme."""
    return address if "://" in address else f"https://{address}"
