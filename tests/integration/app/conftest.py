from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import yaml

from infra.lab.images import Images
from infra.toolchain.progress import Progress
from tests.integration.app.stack import COMPOSE, Stack, docker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.app.stack import Release


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """Bring up data services and model endpoint from the lab's images, and leave nothing behind."""
    made = Images(Progress())
    base_images = {name: made.ensure(name) for name in ("debian", "postgres", "redis", "model")}
    found = Stack(name=f"acp-app-{os.getpid()}")
    try:
        _start(found, base_images)
        yield found
    finally:
        _remove(found)


@pytest.fixture(scope="package")
def release(stack: Stack) -> Iterator[Release]:
    """Run one good release for all tests that do it no harm."""
    with stack.release("v1") as found:
        yield found


def _start(stack: Stack, images: dict[str, str]) -> None:
    docker("network", "create", stack.front)
    docker("network", "create", "--internal", f"{stack.name}-data")
    core = stack.with_networks(yaml.safe_load((COMPOSE / "core.yaml").read_text(encoding="utf-8")))
    for name in ("postgres", "redis"):
        docker("volume", "create", f"{stack.name}-{name}")
        core["volumes"][name] = {"name": f"{stack.name}-{name}", "external": True}
        core["services"][name]["image"] = images[name]
    core["name"] = f"{stack.name}-core"
    network = ["--network", stack.front, "--network-alias", "model"]
    docker("run", "--detach", "--name", stack.model, *network, "--env", "OPENAI_API_KEY", images["model"])
    stack.up(core["name"], core, "--wait", "--wait-timeout", "120")


def _remove(stack: Stack) -> None:
    stack.down(f"{stack.name}-core")
    docker("rm", "--force", stack.model, check=False)
    for network in (stack.front, f"{stack.name}-data"):
        docker("network", "rm", network, check=False)
    for volume in ("postgres", "redis"):
        docker("volume", "rm", f"{stack.name}-{volume}", check=False)
    for tag in stack.images:
        docker("rmi", "--force", tag, check=False)
