"""`python3 -m acp_reference.worker` works through the ingest queue."""

from __future__ import annotations

from acp_reference.core.server import start
from acp_reference.worker.service import run

start("acp-worker", run, port=8000)
