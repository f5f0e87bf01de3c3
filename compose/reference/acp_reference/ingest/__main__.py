"""`python3 -m acp_reference.ingest` serves acp-ingest on port 8000."""

from __future__ import annotations

from acp_reference.core.server import start
from acp_reference.ingest.service import run

start("acp-ingest", run, port=8000)
