from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.toolchain import provider_plugins, vendor
from infra.toolchain.errors import SetupError
from infra.toolchain.plugins import stage
from infra.toolchain.progress import Progress
from infra.toolchain.provider_plugins import BUILT, ProviderPlugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.toolchain.places import Places


@pytest.fixture
def plugin(places: Places, monkeypatch: pytest.MonkeyPatch) -> ProviderPlugin:
    """Return the plugin of pulumi-command where no vendor can be reached."""
    monkeypatch.setattr(vendor, "reachable", lambda: False)
    monkeypatch.setattr(provider_plugins, "pulumi_command", lambda _places: "pulumi")
    places.python.touch()
    return ProviderPlugin(plugin="command", version="1.2.1", places=places)


@pytest.fixture
def installed(plugin: ProviderPlugin, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the list of the installations that Pulumi was asked for; each one is done by copying."""
    asked: list[list[str]] = []

    def do(argv: list[str], **_: object) -> None:
        asked.append(argv)
        if "--file" in argv:
            source = Path(argv[argv.index("--file") + 1])
            plugin.folder.mkdir(parents=True, exist_ok=True)
            for path in source.iterdir():
                if path.is_file():
                    (plugin.folder / path.name).write_bytes(path.read_bytes())
                    (plugin.folder / path.name).chmod(path.stat().st_mode)

    monkeypatch.setattr(provider_plugins, "do", do)
    return asked


def apply(plugin: ProviderPlugin) -> None:
    """Bring the plugin about, silently."""
    plugin.apply(Progress(stream=io.StringIO()))


def test_drop_in_is_installed_once(plugin: ProviderPlugin, installed: list[list[str]]) -> None:
    """Without the vendor the drop-in one goes into the cache, and a second run does nothing."""
    apply(plugin)
    apply(plugin)
    assert [argv[:6] for argv in installed] == [["pulumi", "plugin", "install", "resource", "command", "1.2.1"]]
    assert plugin.state().detail == "the drop-in one of this repository"


def test_official_one_is_never_replaced(
    plugin: ProviderPlugin, installed: list[list[str]], command: Callable[[Path, str], Path]
) -> None:
    """A plugin without the drop-in mark is the official one and stays, also when everything is removed."""
    command(plugin.folder / "pulumi-resource-command", "")
    apply(plugin)
    plugin.remove()
    assert installed == []
    assert plugin.state().detail == "the official one"


def test_changed_drop_in_is_installed_again(plugin: ProviderPlugin, installed: list[list[str]]) -> None:
    """A drop-in one of other sources than today's is renewed."""
    apply(plugin)
    (plugin.folder / stage.MARK).write_text("of old\n")
    assert not plugin.state().ready
    apply(plugin)
    assert len(installed) == 2
    assert plugin.state().ready


def test_half_an_installation_does_not_count(plugin: ProviderPlugin, installed: list[list[str]]) -> None:
    """A plugin that Pulumi has not finished installing is installed again."""
    apply(plugin)
    plugin.folder.with_name(f"{plugin.folder.name}.partial").touch()
    assert installed
    assert not plugin.state().ready


def test_official_one_is_downloaded_where_it_can_be(
    plugin: ProviderPlugin,
    installed: list[list[str]],
    command: Callable[[Path, str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the vendor answers, Pulumi itself downloads the plugin and the drop-in one is not installed."""
    monkeypatch.setattr(vendor, "reachable", lambda: True)
    done = provider_plugins.do

    def download(argv: list[str], **settings: object) -> None:
        done(argv, **settings)  # type: ignore[arg-type]
        command(plugin.folder / "pulumi-resource-command", "")

    monkeypatch.setattr(provider_plugins, "do", download)
    apply(plugin)
    assert ["--file" in argv for argv in installed] == [False]
    assert plugin.state().detail == "the official one"


def test_failed_download_leads_to_the_drop_in(
    plugin: ProviderPlugin, installed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor that answers but does not serve the plugin is no obstacle."""
    monkeypatch.setattr(vendor, "reachable", lambda: True)
    done = provider_plugins.do

    def refuse(argv: list[str], **settings: object) -> None:
        if "--file" not in argv:
            raise SetupError("403 Forbidden")
        done(argv, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(provider_plugins, "do", refuse)
    apply(plugin)
    assert ["--file" in argv for argv in installed] == [True]
    assert plugin.state().ready


def test_removal_takes_what_set_up_made(plugin: ProviderPlugin, installed: list[list[str]]) -> None:
    """A drop-in plugin and one of our own build are removed with the cache."""
    apply(plugin)
    assert installed
    plugin.remove()
    assert not plugin.folder.exists()
    plugin.folder.mkdir()
    (plugin.folder / BUILT).touch()
    plugin.remove()
    assert not plugin.folder.exists()
