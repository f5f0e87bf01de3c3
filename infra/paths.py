"""Where the project's files are, whatever the working directory is (Pulumi runs the program inside `infra/`)."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
CACHE_FOLDER = PROJECT_ROOT / ".acp"
