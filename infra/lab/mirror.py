"""Where this machine gets Debian packages from, read from its own apt sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path("/etc/apt")
DEBIAN_SUITES = frozenset(
    {"bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One address apt reads, with the suites and components it takes from there."""

    address: str
    suites: tuple[str, ...]
    components: tuple[str, ...]

    def offers(self, ending: str = "") -> bool:
        """Say whether this is Debian itself: `main` of a suite Debian has, with `ending` after its name."""
        names = {suite.removesuffix(ending) for suite in self.suites if suite.endswith(ending)}
        return "main" in self.components and bool(names & DEBIAN_SUITES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Addresses of the Debian archive and, where the machine has one, of its security updates."""

    archive: str
    security: str | None

    def sources_list(self, suite: str) -> str:
        """Return the content of a `sources.list` for `suite`."""
        lines = [f"deb {self.archive} {suite} main", f"deb {self.archive} {suite}-updates main"]
        if self.security:
            lines.append(f"deb {self.security} {suite}-security main")
        return "\n".join(lines) + "\n"


def parse_one_line(text: str) -> Iterator[Source]:
    """Yield the sources of a `sources.list` (`deb [options] address suite components`)."""
    for line in text.splitlines():
        words = line.split("#", 1)[0].split()
        if not words or words[0] != "deb":
            continue
        words = words[1:]
        if words and words[0].startswith("["):
            while words and not words[0].endswith("]"):
                words = words[1:]
            words = words[1:]
        if len(words) > 1:
            yield Source(address=words[0].rstrip("/"), suites=(words[1],), components=tuple(words[2:]))


def parse_deb822(text: str) -> Iterator[Source]:
    """Yield the sources of a `*.sources` file; disabled stanzas are left out."""
    for stanza in text.split("\n\n"):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
            suites, components = (tuple(fields.get(name, "").split()) for name in ("suites", "components"))
            for address in fields.get("uris", "").split():
                yield Source(address=address.rstrip("/"), suites=suites, components=components)


def choose(sources: list[Source]) -> Mirror | None:
    """Return the first Debian archive among `sources` and its security updates, None without one."""
    archive = [source for source in sources if source.offers()]
    security = [source for source in sources if source.offers("-security")]
    if not archive:
        return None
    return Mirror(archive=archive[0].address, security=security[0].address if security else None)


def read_mirror(folder: Path = SOURCES) -> Mirror:
    """Return the Debian mirror of this machine; raise `ToolError` when its apt sources name none."""
    found: list[Source] = []
    for path in [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]:
        if path.exists():
            found.extend(parse_one_line(path.read_text(encoding="utf-8")))
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        found.extend(parse_deb822(path.read_text(encoding="utf-8")))
    mirror = choose(found)
    if mirror is None:
        mend = "make a registry of public images reachable for docker, or add a Debian archive to the apt sources"
        raise ToolError("no Debian archive to make base images from", where=str(folder), mend=mend)
    return mirror
