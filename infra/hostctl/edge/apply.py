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
    from .files import EdgeFiles
    from .routing import Routing

FOLDER_MODE = 0o700
FREE_SECONDS = 30.0
"""How long a take-over waits for containers that finish requests; clients that stay connected may take far longer."""
POLL_SECONDS = 0.2


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
    is_up = host.edge.is_running() and host.engine.container(HOLDER) is not None
    if is_up:
        _leave_one(host)
    is_unfinished = host.edge.files.unfinished() is not None
    is_new_certificate = place_certificate(host.edge.files, pem, certificate_file)
    saved = host.edge.files.load()
    before = EdgeSettings.from_json(saved["settings"]) if saved else None
    routing = committed_routing(current)
    if before is None or not is_up or before.layout() != settings.layout() or _is_half_made(host.edge.files):
        return _make(host, settings, routing, was_up=is_up)
    routes = render_config(settings, routing)
    if before.image != settings.image or host.edge.container() != (saved or {}).get("container"):
        return _take_over(host, settings, routes, dict((saved or {})["images"]))
    return _reload(host, settings, routes, is_new_certificate=is_new_certificate, is_unfinished=is_unfinished)


def _is_half_made(files: EdgeFiles) -> bool:
    """Return whether nobody knows what the holder was made from: the call that made it was cut off."""
    saved, begun = files.load(), files.unfinished()
    return begun is not None and (saved is None or _made_from(saved) != _made_from(begun))


def _made_from(record: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what the container that holds the ports is made from."""
    return EdgeSettings.from_json(record["settings"]).layout(), record["images"][HOLDER]


def _make(host: Host, settings: EdgeSettings, routing: Routing, *, was_up: bool) -> dict[str, Any]:
    """Make the container that holds the ports; where there was one, nobody answers for a moment."""
    saved = host.edge.files.load()
    began = host.clock.monotonic()
    with host.journal.step("edge", "make", image=settings.image):
        try:
            _make_holder(host, settings, routing)
        except HostctlError:
            if saved is None:
                host.engine.remove(HOLDER)
                host.edge.files.give_up()
            else:
                _make_holder(host, EdgeSettings.from_json(saved["settings"]), routing)
            raise
    interrupted = round(host.clock.monotonic() - began, 3) if was_up else 0
    return _done(settings, HOLDER, changed=True, interrupted_seconds=interrupted)


def _make_holder(host: Host, settings: EdgeSettings, routing: Routing) -> None:
    """Have the holder be as `settings` say, alone, and wait until it serves."""
    images = {HOLDER: settings.image}
    host.edge.files.begin(settings, container=HOLDER, images=images)
    host.edge.files.write_routes(COMMITTED, render_config(settings, routing))
    served = _serving_holder(host)
    for name in RELIEFS:
        host.engine.remove(name)
    _up(host, settings, images, HOLDER)
    host.edge.wait_running(HOLDER)
    if served is not None and served == _serving_holder(host):  # compose had nothing to change
        host.edge.load_committed()
    host.edge.files.finish()


def _serving_holder(host: Host) -> str | None:
    """Return the id of the container that holds the ports, if its HAProxy takes requests."""
    container = host.engine.container(HOLDER) if HOLDER in host.edge.accepting() else None
    return container.id if container else None


def _take_over(host: Host, settings: EdgeSettings, routes: str, images: dict[str, str]) -> dict[str, Any]:
    """Start a container of the new image that takes the sockets over; the old HAProxy finishes what it has."""
    old = host.edge.container()
    new = _free_relief(host, old)
    images = {name: image for name, image in images.items() if name in {HOLDER, old}} | {new: settings.image}
    with host.journal.step("edge", "take_over", image=settings.image, container=new):
        host.edge.files.begin(settings, container=new, images=images)
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
        host.edge.files.finish()
        _retire(host, old)
    return _done(settings, new, changed=True)


def _free_relief(host: Host, serving: str) -> str:
    """Return the relief to make anew: neither the container that serves nor one that still finishes requests."""
    deadline = host.clock.monotonic() + FREE_SECONDS
    while True:
        survey = host.edge.survey()
        living = (*(reading.key for reading in survey.readings), *survey.silent)
        busy = {serving, *(key.partition("/")[0] for key in living)}
        free = [name for name in RELIEFS if name not in busy]
        if free:
            return free[0]
        if host.clock.monotonic() >= deadline:
            raise HostctlError(
                "edge_failed",
                "the edge's containers before this one still finish requests",
                mend="run the set-up again when they have ended: HAProxy closes the last of them by itself",
            )
        host.clock.sleep(POLL_SECONDS)


def _retire(host: Host, container: str) -> None:
    """Have a container's HAProxy finish what it has and take nothing new."""
    status, output = host.engine.execute(container, ["/bin/sh", "-c", RETIRE])
    if status != 0:
        raise HostctlError("edge_failed", f"{container} could not be retired: {output.strip()}")


def _leave_one(host: Host) -> None:
    """Have one HAProxy alone take requests: a take-over that was cut off leaves two, which say different things.

    Where the newer one serves, it goes on. What was begun stays so: the next set-up loads everything.
    """
    files, accepting = host.edge.files, host.edge.accepting()
    saved, begun = files.load() or {}, files.unfinished() or {}
    is_taken_over = begun.get("container") in accepting and begun["container"] != saved.get("container")
    if is_taken_over and not _is_half_made(files):
        files.save(EdgeSettings.from_json(begun["settings"]), container=begun["container"], images=begun["images"])
    serving = host.edge.container()
    for name in accepting:
        if name != serving:
            with host.journal.step("edge", "retire", container=name):
                _retire(host, name)


def settle_edge(host: Host) -> None:
    """Put the container in charge that serves: after a crash or a reboot another one may have stepped in.

    Around a holder that is half made this waits for the next set-up, which makes it whole.
    """
    _leave_one(host)
    saved = host.edge.files.load() or {}
    container = host.edge.container()
    if container == saved.get("container") or _is_half_made(host.edge.files):
        return
    settings = host.edge.settings
    if saved["images"].get(container) == settings.image:
        host.edge.files.save(settings, container=container, images=saved["images"])
    else:
        routes = host.edge.files.read_routes(COMMITTED) or ""
        _take_over(host, settings, routes, dict(saved["images"]))


def _reload(
    host: Host, settings: EdgeSettings, routes: str, *, is_new_certificate: bool, is_unfinished: bool
) -> dict[str, Any]:
    """Change the settings of the edge that runs; after a set-up that was cut off load everything again."""
    files, container = host.edge.files, host.edge.container()
    saved = files.load() or {}
    is_same = saved["settings"] == settings.to_json() and files.read_routes(COMMITTED) == routes and not is_unfinished
    if not is_same:
        with host.journal.step("edge", "reload"):
            files.begin(settings, container=container, images=saved["images"])
            host.edge.replace_committed(routes)
            files.finish()
    elif is_new_certificate:
        with host.journal.step("edge", "certificate"):
            put_into_haproxy(host.edge)
            files.finish()
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
