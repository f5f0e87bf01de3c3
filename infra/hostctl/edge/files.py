"""The edge's files on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..files import link_atomic, read_json, write_atomic, write_json
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
        if not script.exists() or script.read_text(encoding="utf-8") != SERVE_SCRIPT:
            write_atomic(script, SERVE_SCRIPT, mode=PUBLIC)

    def write_routes(self, name: str, text: str) -> bool:
        """Write one of the two route files; return whether it changed."""
        path = self.config / name
        if self.read_routes(name) == text:
            return False
        write_atomic(path, text, mode=PUBLIC)
        return True

    def read_routes(self, name: str) -> str | None:
        """Return one of the two route files, or None."""
        try:
            return (self.config / name).read_text(encoding="utf-8")
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
        value: dict[str, Any] | None = read_json(self.folder / "edge.json")
        return value

    def save(self, settings: EdgeSettings, *, container: str, images: dict[str, str]) -> None:
        """Remember what the edge is set up for and which container serves."""
        write_json(
            self.folder / "edge.json", {"settings": settings.to_json(), "container": container, "images": images}
        )
