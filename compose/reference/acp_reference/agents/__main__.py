"""`python3 -m acp_reference.agents` serves acp-agents on port 8001."""

from __future__ import annotations

from acp_reference.agents.service import run
from acp_reference.core.server import start

start("acp-agents", run, port=8001)
