"""The one list of prerequisites: `up` brings them about, `doctor` and `status` tell their state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.toolchain.client_plugins import ClientPlugins
from infra.toolchain.cosign import Cosign
from infra.toolchain.engine import Engine
from infra.toolchain.go_tools import Tool, all_tools
from infra.toolchain.provider_plugins import ProviderPlugin, all_plugins
from infra.toolchain.system import SystemPackages
from infra.toolchain.venv import VirtualEnvironment

if TYPE_CHECKING:
    from infra.toolchain.places import Places
    from infra.toolchain.step import Step


def system(places: Places) -> list[Step]:
    """Return what the machine itself needs, in the order in which it is brought about."""
    logs = places.logs
    return [SystemPackages(logs=logs), ClientPlugins(logs=logs), Cosign(logs=logs), Engine(cache=places.cache)]


def python(places: Places) -> VirtualEnvironment:
    """Return the virtual environment."""
    return VirtualEnvironment(places=places)


def tools(places: Places) -> list[Tool]:
    """Return the tools that the virtual environment shows."""
    return [tool for tool in all_tools(places) if not tool.tool.plugin]


def plugins(places: Places) -> list[ProviderPlugin]:
    """Return Pulumi's provider plugins."""
    return all_plugins(places)


def everything(places: Places) -> list[Step]:
    """Return all prerequisites."""
    return [*system(places), python(places), *tools(places), *plugins(places)]
