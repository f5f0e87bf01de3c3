"""The edge's files on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..files import file_error, link_atomic, read_json, sync_folder, write_atomic, write_json
from .container import SERVE_SCRIPT

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import EdgeSettings

PUBLIC = 0o644
COMMITTED = "committed.cfg"
TRIAL = "trial.cfg"


@dataclass(frozen=True)
class EdgeFiles:
    """Folder layout: `config/` is mounted read-only, `run/` has the sockets and the link to the routes in use."""

    folder: Path

    @property
    def config(self) -> Path:
        """Return the folder that the containers read."""
        return self.folder / "config"

    @property
    def certificate(self) -> Path:
        """Return the TLS certificate with its key."""
        return self.config / "certs" / "edge.pem"

    @property
    def counters(self) -> Path:
        """Return the file of folded counters."""
        return self.folder / "counters.json"

    def run(self, container: str) -> Path:
        """Return a container's own run folder."""
        return self.folder / "run" / container

    def prepare(self, container: str) -> None:
        """Make the folders and the serve script."""
        self.config.mkdir(parents=True, exist_ok=True)
        self.certificate.parent.mkdir(exist_ok=True)
        self.run(container).mkdir(parents=True, exist_ok=True)
        script = self.config / "serve.sh"
        if not script.exists() or script.read_text(encoding="utf-8", errors="replace") != SERVE_SCRIPT:
            write_atomic(script, SERVE_SCRIPT, mode=PUBLIC)

    def write_routes(self, name: str, text: str) -> bool:
        """Write one of the two route files; return whether it changed."""
        path = self.config / name
        if self.read_routes(name) == text:
            return False
        write_atomic(path, text, mode=PUBLIC)
        return True

    def read_routes(self, name: str) -> str | None:
        """Return one of the two route files, or None; bytes that are no UTF-8 are replaced: hostctl wrote none."""
        try:
            return (self.config / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def active(self, container: str) -> str | None:
        """Return the name of the route file that a container uses."""
        try:
            return (self.run(container) / "active.cfg").readlink().name
        except OSError:
            return None

    def activate(self, container: str, name: str) -> None:
        """Make a container use a route file at its next reload; its own restart goes back to the committed one."""
        link_atomic(self.run(container) / "active.cfg", f"/edge/{name}")

    def load(self) -> dict[str, Any] | None:
        """Return what the edge was set up for: `settings`, `container`, `images`; None before that."""
        value: dict[str, Any] | None = read_json(self._record)
        return value

    def save(self, settings: EdgeSettings, *, container: str, images: dict[str, str]) -> None:
        """Remember what the edge is set up for and which container serves."""
        write_json(self._record, _record_of(settings, container, images))

    def begin(self, settings: EdgeSettings, *, container: str, images: dict[str, str]) -> None:
        """Write down what the edge is to be set up for, before anything is done; until `finish` it may be half so."""
        write_json(self._next_record, _record_of(settings, container, images))

    def begin_again(self) -> None:
        """Write down that something beside the record changes; what was begun before stays so."""
        saved = self.load()
        if saved is not None and self.unfinished() is None:
            write_json(self._next_record, saved)

    def unfinished(self) -> dict[str, Any] | None:
        """Return what `load` would return had the set-up that was begun been finished; None when none was cut off."""
        value: dict[str, Any] | None = read_json(self._next_record)
        return value

    def finish(self) -> None:
        """Remember what was begun as what the edge is set up for, in one step."""
        try:
            self._next_record.replace(self._record)
            sync_folder(self.folder)
        except OSError as error:
            raise file_error(self._record, error) from error

    def give_up(self) -> None:
        """Forget what was begun."""
        self._next_record.unlink(missing_ok=True)

    @property
    def _record(self) -> Path:
        return self.folder / "edge.json"

    @property
    def _next_record(self) -> Path:
        return self.folder / "edge.next.json"


def _record_of(settings: EdgeSettings, container: str, images: dict[str, str]) -> dict[str, Any]:
    """Return what is kept about the edge."""
    return {"settings": settings.to_json(), "container": container, "images": images}
