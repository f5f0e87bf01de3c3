"""Images of a release: pulled by digest with a login that is only in memory, checked for this host's architecture."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .docker_socket import DockerError
from .errors import HostctlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .fields import Fields

PULL_LINE_SECONDS = 120.0
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm"}
CAUSES = (
    ("disk_full", ("no space left on device", "disk quota exceeded")),
    ("wrong_architecture", ("no matching manifest for", "does not match the specified platform")),
    (
        "image_pull_denied",
        (
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "access denied",
            "access to the resource is denied",
            "requested access",
            "forbidden",
        ),
    ),
    ("image_not_found", ("manifest unknown", "not found", "name unknown", "repository does not exist")),
    (
        "registry_unreachable",
        (
            "connection refused",
            "no such host",
            "timeout",
            "deadline exceeded",
            "x509",
            "tls:",
            "no route to host",
            "unreachable",
            "eof",
            "connection reset",
            "server gave http response",
            "client.timeout",
        ),
    ),
)


@dataclass(frozen=True)
class RegistryLogin:
    """A registry's name and login; the password is never shown."""

    server: str
    username: str
    password: str = field(repr=False)

    def header(self) -> str:
        """Return the value of Docker's X-Registry-Auth header."""
        login = {"username": self.username, "password": self.password, "serveraddress": self.server}
        return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()


def read_registry(fields: Fields) -> RegistryLogin | None:
    """Read the optional `registry` of a request."""
    inner = fields.object("registry", optional=True)
    if inner is None:
        return None
    login = RegistryLogin(inner.text("server"), inner.text("username"), inner.text("password"))
    inner.close()
    return login


def pull_error(reference: str, message: str) -> HostctlError:
    """Return a failed pull with the code of its cause."""
    lower = message.lower()
    code = next((code for code, signs in CAUSES if any(sign in lower for sign in signs)), "docker_error")
    return HostctlError(code, f"pull of {reference} failed: {message}", image=reference)


def ensure_images(
    engine: Engine, references: tuple[str, ...], login: RegistryLogin | None, progress: Callable[[str], None]
) -> int:
    """Pull the images that are not on the host yet and check the architecture of all; return how many were pulled."""
    pulled = 0
    for reference in references:
        image = engine.image(reference)
        if image is None:
            progress(f"pulling {reference}")
            _pull(engine, reference, login)
            pulled += 1
            image = engine.image(reference)
        if image is None:
            raise HostctlError("image_not_found", f"{reference} is not on the host after its pull", image=reference)
        check_architecture(reference, image, str(engine.info().get("Architecture", "")))
    return pulled


def _pull(engine: Engine, reference: str, login: RegistryLogin | None) -> None:
    """Pull one image, with the login if it is for that registry."""
    header = login.header() if login and reference.startswith(f"{login.server}/") else None
    try:
        engine.pull(reference, auth_header=header, on_message=lambda _: None, timeout_seconds=PULL_LINE_SECONDS)
    except DockerError as error:
        raise pull_error(reference, error.message) from error


def check_architecture(reference: str, image: dict[str, Any], machine: str) -> None:
    """Raise `wrong_architecture` unless the image is for this machine."""
    wanted, got = MACHINES.get(machine, machine), str(image.get("Architecture", ""))
    if got and wanted and got != wanted:
        raise HostctlError(
            "wrong_architecture", f"{reference} is for {got}, this host is {wanted}", image=reference, host=wanted
        )
