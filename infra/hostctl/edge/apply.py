"""Bringing the edge to its settings: made, reloaded, or taken over by a newer container without losing a request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import HostctlError
from ..images import RegistryLogin, ensure_images
from .certificate import place_certificate, put_into_haproxy
from .config import render_config
from .container import HOLDER, PROJECT, RELIEFS, RETIRE, edge_document
from .files import COMMITTED
from .routing import committed_routing
from .settings import EdgeSettings

if TYPE_CHECKING:
    from ..host import Host
    from ..spec import ReleaseSpec

FOLDER_MODE = 0o700


def apply_edge(
    host: Host,
    settings: EdgeSettings,
    login: RegistryLogin | None,
    current: ReleaseSpec | None,
    *,
    pem: str | None,
    certificate_file: str | None,
) -> dict[str, Any]:
    """Bring the edge to `settings`; return what was done."""
    host.edge.files.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    if not host.engine.network_exists(settings.network):
        raise HostctlError("network_missing", f"no network {settings.network}", network=settings.network)
    with host.journal.step("edge", "pull"):
        ensure_images(host.engine, (settings.image,), login, lambda text: host.progress("edge", text))
    for name in (HOLDER, *RELIEFS):
        host.edge.files.prepare(name)
    is_new_certificate = place_certificate(host.edge.files, pem, certificate_file)
    saved = host.edge.files.load()
    before = EdgeSettings.from_json(saved["settings"]) if saved else None
    routes = render_config(settings, committed_routing(current))
    is_up = host.edge.is_running() and host.engine.container(HOLDER) is not None
    if is_up:
        _retire_others(host, host.edge.container())
    if before is None or not is_up or before.layout() != settings.layout():
        return _make(host, settings, routes, was_up=is_up)
    if before.image != settings.image or host.edge.container() != (saved or {}).get("container"):
        return _take_over(host, settings, routes, dict((saved or {})["images"]))
    return _reload(host, settings, routes, is_new_certificate=is_new_certificate)


def _make(host: Host, settings: EdgeSettings, routes: str, *, was_up: bool) -> dict[str, Any]:
    """Make the container that holds the ports; where there was one, nobody answers for a moment."""
    saved = host.edge.files.load()
    old_routes = host.edge.files.read_routes(COMMITTED)
    images = {HOLDER: settings.image}
    began = host.clock.monotonic()
    with host.journal.step("edge", "make", image=settings.image):
        for name in RELIEFS:
            host.engine.remove(name)
        host.edge.files.save(settings, container=HOLDER, images=images)
        host.edge.files.write_routes(COMMITTED, routes)
        try:
            _up(host, settings, images, HOLDER)
            host.edge.wait_running(HOLDER)
        except HostctlError:
            if saved is None:
                host.engine.remove(HOLDER)
                (host.edge.files.folder / "edge.json").unlink(missing_ok=True)
            else:
                _restore(host, saved, old_routes)
            raise
    interrupted = round(host.clock.monotonic() - began, 3) if was_up else 0
    return _done(settings, HOLDER, changed=True, interrupted_seconds=interrupted)


def _restore(host: Host, saved: dict[str, Any], routes: str | None) -> None:
    """Bring the edge of before back after its successor failed to start, and wait until it serves."""
    settings = EdgeSettings.from_json(saved["settings"])
    host.edge.files.save(settings, container=HOLDER, images={HOLDER: settings.image})
    if routes is not None:
        host.edge.files.write_routes(COMMITTED, routes)
    _up(host, settings, {HOLDER: settings.image}, HOLDER)
    host.edge.wait_running(HOLDER)


def _take_over(host: Host, settings: EdgeSettings, routes: str, images: dict[str, str]) -> dict[str, Any]:
    """Start a container of the new image that takes the sockets over; the old HAProxy finishes what it has."""
    old = host.edge.container()
    new = next(name for name in RELIEFS if name != old)
    images = {name: image for name, image in images.items() if name in {HOLDER, old}} | {new: settings.image}
    with host.journal.step("edge", "take_over", image=settings.image, container=new):
        host.engine.remove(new)
        host.edge.files.write_routes(COMMITTED, routes)
        host.edge.files.activate(new, COMMITTED)
        (host.edge.files.run(new) / "take-over").write_text(f"/run/acp/{old}/worker.sock\n", encoding="utf-8")
        try:
            _up(host, settings, images, new)
            host.edge.wait_running(new)
        except HostctlError:
            host.engine.remove(new)
            raise
        host.edge.fold_counters()
        host.edge.files.save(settings, container=new, images=images)
        _retire(host, old)
    return _done(settings, new, changed=True)


def _retire(host: Host, container: str) -> None:
    """Have a container's HAProxy finish what it has and take nothing new."""
    status, output = host.engine.execute(container, ["/bin/sh", "-c", RETIRE])
    if status != 0:
        raise HostctlError("edge_failed", f"{container} could not be retired: {output.strip()}")


def _retire_others(host: Host, serving: str) -> None:
    """Have one HAProxy alone take requests: a take-over that was cut off leaves two, which say different things."""
    for name in host.edge.accepting():
        if name != serving:
            with host.journal.step("edge", "retire", container=name):
                _retire(host, name)


def settle_edge(host: Host) -> None:
    """Put the container in charge that serves: after a crash or a reboot another one may have stepped in."""
    saved = host.edge.files.load() or {}
    container = host.edge.container()
    if container == saved.get("container"):
        _retire_others(host, container)
        return
    settings = host.edge.settings
    if saved["images"].get(container) == settings.image:
        host.edge.files.save(settings, container=container, images=saved["images"])
    else:
        routes = host.edge.files.read_routes(COMMITTED) or ""
        _take_over(host, settings, routes, dict(saved["images"]))


def _reload(host: Host, settings: EdgeSettings, routes: str, *, is_new_certificate: bool) -> dict[str, Any]:
    """Change the settings of the edge that runs."""
    container = host.edge.container()
    saved = host.edge.files.load() or {}
    is_same = saved["settings"] == settings.to_json() and host.edge.files.read_routes(COMMITTED) == routes
    if is_new_certificate and is_same:
        with host.journal.step("edge", "certificate"):
            put_into_haproxy(host.edge)
    if not is_same:
        with host.journal.step("edge", "reload"):
            host.edge.files.save(settings, container=container, images=saved["images"])
            try:
                host.edge.replace_committed(routes)
            except HostctlError:
                host.edge.files.save(
                    EdgeSettings.from_json(saved["settings"]), container=container, images=saved["images"]
                )
                raise
    return _done(settings, container, changed=is_new_certificate or not is_same)


def _up(host: Host, settings: EdgeSettings, images: dict[str, str], service: str) -> None:
    """Have compose make one of the edge's containers."""
    document = edge_document(
        settings, folder=str(Path(host.edge.files.folder).resolve()), user=f"{os.getuid()}:{os.getgid()}", images=images
    )
    host.progress("edge", f"starting {service}")
    host.compose.up(PROJECT, document, services=[service], options=["--no-deps"])


def _done(settings: EdgeSettings, container: str, *, changed: bool, interrupted_seconds: float = 0) -> dict[str, Any]:
    """Return the result."""
    return {
        "changed": changed,
        "image": settings.image,
        "container": container,
        "interrupted_seconds": interrupted_seconds,
    }
