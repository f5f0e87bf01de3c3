"""The lab's vulnerability database: real in form, small in content, and marked as the lab's in every report."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from infra.adapters.process import run
from infra.adapters.tools import tool
from infra.adapters.trivy import ORIGIN_FIELD
from infra.lab.folder import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.lab.folder import LabFolder

MAKER = "acp-trivy-database"
MAKER_SECONDS = 60.0
ORIGIN = "lab"
SCHEMA_VERSION = 2
SOURCES = Path(__file__).parent / "vulnerabilities"


def ensure_database(folder: LabFolder) -> None:
    """See to the database of the lab and date it now: it is fresh for as long as a downloaded one."""
    sources = sorted(SOURCES.glob("*.yaml"))
    wanted = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    place = folder.trivy / "db" / "trivy.db"
    made_from = folder.trivy / "sources.sha256"
    if not place.exists() or not made_from.exists() or made_from.read_text(encoding="ascii") != wanted:
        make_database(place, sources)
        write_atomically(made_from, wanted)
    date_database(folder.trivy, datetime.now(UTC))


def make_database(place: Path, sources: Sequence[Path]) -> None:
    """Write the database in `sources` (YAML) to `place` in one step; raise `ToolError` when that fails."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.partial")
    partial.unlink(missing_ok=True)
    run([tool(MAKER), str(partial), *map(str, sources)], timeout_seconds=MAKER_SECONDS)
    partial.replace(place)


def date_database(cache: Path, moment: datetime, *, origin: str = ORIGIN) -> None:
    """Write when the database below `cache` was updated, and whose it is."""
    metadata = {
        "Version": SCHEMA_VERSION,
        "UpdatedAt": moment.isoformat(),
        "NextUpdate": (moment + timedelta(days=1)).isoformat(),
        "DownloadedAt": moment.isoformat(),
        ORIGIN_FIELD: origin,
    }
    write_atomically(cache / "db" / "metadata.json", json.dumps(metadata) + "\n")
