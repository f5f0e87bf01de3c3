"""The plugin's program."""

from __future__ import annotations

from infra.toolchain.plugins.command.provider import VERSION, CommandProvider
from infra.toolchain.plugins.common.serving import serve

if __name__ == "__main__":
    serve(VERSION, CommandProvider)
