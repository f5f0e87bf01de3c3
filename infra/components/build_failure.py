"""Why an image was not built: the provider says no more than `exit status 1`, so the build is asked again.

What succeeded the first time is in the builder's cache, so this takes as long as the step that failed. Nothing is
pushed and no login is needed: where the image can be built, pushing it is what failed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pulumi

from infra.adapters.process import run
from infra.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings.model import Image

TIMEOUT_SECONDS = 600.0
SAID_LINES = 15


def build_hook(name: str, image: Image, root: Path, tag: str) -> pulumi.ErrorHook:
    """Return what says why the build of an image failed, as an error of the update; it is not tried again."""

    async def tell(_failed: pulumi.ErrorHookArgs) -> bool:
        pulumi.log.error(await asyncio.to_thread(why_not_built, name, image, root, tag))
        return False

    return pulumi.ErrorHook(f"why-{name}-image", tell)


def build_command(image: Image, root: Path) -> list[str]:
    """Return the build of an image as the provider starts it, without a push."""
    arguments = [part for key, value in image.build_args.items() for part in ("--build-arg", f"{key}={value}")]
    stage = ["--target", image.target] if image.target else []
    place = ["--file", str(root / image.dockerfile), str(root / image.context)]
    options = ["--builder", "default", "--progress", "plain", "--platform", "linux/amd64", "--output", "type=cacheonly"]
    return ["docker", "buildx", "build", *options, *arguments, *stage, *place]


def why_not_built(name: str, image: Image, root: Path, tag: str) -> str:
    """Return what stopped the build or the push of an image, and the mend."""
    try:
        done = run(build_command(image, root), timeout_seconds=TIMEOUT_SECONDS, check=False)
    except ToolError as error:
        return f"acp:images.{name} was not built, and asking why failed: {error}"
    if done.exit_status == 0:
        return (
            f"acp:images.{name} is built, and pushing it as {tag} failed\n"
            "  mend:  see that the registry is up and Docker trusts its certificate, and that `registry.username` with "
            "the secret REGISTRY_PASSWORD may push there; `docker login` and `docker push` say more; no host was "
            "changed by this update"
        )
    said = "\n".join(f"    {line}" for line in last_words(done.stderr))
    stage = f" (stage {image.target})" if image.target else ""
    return (
        f"acp:images.{name} was not built from {image.dockerfile}{stage}:\n{said}\n"
        "  mend:  correct the Dockerfile, or `context`, `target` or `build_args` in the stack file; no host was "
        "changed by this update"
    )


def last_words(output: str) -> list[str]:
    """Return what a failed build said last: the failed step's own lines and the error, without the steps before."""
    lines = [line.strip() for line in output.splitlines() if line.strip(" -")]
    return [line for line in lines if not line.startswith("#")][-SAID_LINES:] or lines[-SAID_LINES:]
