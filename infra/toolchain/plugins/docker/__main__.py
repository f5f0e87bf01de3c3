"""The plugin's program."""

from __future__ import annotations

from infra.toolchain.plugins.common.serving import serve
from infra.toolchain.plugins.docker.provider import VERSION, DockerProvider

if __name__ == "__main__":
    serve(VERSION, DockerProvider)
