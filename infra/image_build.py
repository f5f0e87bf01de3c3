"""The images of a stack built and pushed by themselves, with the same components as an update, ahead of any release.

The Pulumi state is thrown away with its folder: what is built is in the registry, and the update that releases it
resolves the tag. An image whose version is published already is not built again, so that it keeps its digest: where the
stack has signatures, only one that is vouched for (`infra/checks/reuse.py`).
"""

from __future__ import annotations

import secrets as random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi
from pulumi import automation

from infra.checks.reuse import why_not_reused
from infra.components.images import PublishedImages
from infra.errors import ReleaseError, ToolError
from infra.sources import build_image, image_version, refuse_missing_sources, sources_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings import Settings

STACK = "build"
TAIL_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """`repository@sha256:…` of every image of a stack, by name, and the names of those that this run made."""

    images: dict[str, str]
    built: list[str]


def build_images(settings: Settings, password: str, show: Callable[[str], None]) -> Build:
    """Build and push the images of the stack whose version the registry does not have, or nobody vouches for."""
    problems: list[ReleaseError] = []
    built: list[str] = []

    def program() -> None:
        try:
            built[:] = _declare(settings, password, show)
        except ReleaseError as error:
            problems.append(error)
            raise

    with tempfile.TemporaryDirectory(prefix="acp-build-") as made:
        try:
            result = _stack(Path(made), program).up(on_output=show, color="never", suppress_outputs=True)
        except automation.InlineSourceRuntimeError as error:
            raise (problems[0] if problems else _failed(str(error))) from None
        except automation.CommandError as error:
            raise (problems[0] if problems else _failed(str(error))) from None
    return Build(images={name: str(result.outputs[name].value) for name in settings.images}, built=built)


def build_tag(settings: Settings) -> str:
    """Return the one tag that all images of a build get: the stack's version, or `git describe` over them all."""
    return image_version(settings, sources_of(settings, settings.images.values()))


def build_commit(settings: Settings) -> str:
    """Return the commit in the project's repository that the images of a build are from together.

    It is marked where their sources differ from it, and empty where they are not from there or nobody knows.
    """
    sources = sources_of(settings, settings.images.values())
    commit = sources.project_commit
    return f"{commit}-dirty" if commit and sources.is_dirty else commit


def _declare(settings: Settings, password: str, show: Callable[[str], None]) -> list[str]:
    """Declare the builds and export every image by digest; return the names of those that are built."""
    refuse_missing_sources(settings)
    login = pulumi.Output.secret(password)
    published = PublishedImages(settings.registry, login)
    built = []
    for name, image in settings.images.items():
        sources = sources_of(settings, [image])
        version = image_version(settings, sources)
        found = published.find(name, version)
        problem = why_not_reused(settings, password, found) if found else ""
        if found and not problem:
            show(f"{name}: {version} is in the registry already")
            ref = pulumi.Output.from_input(found)
        else:
            if problem:
                show(f"{name}: {version} is in the registry, but {problem}; it is built anew, and that one replaced")
            ref = build_image(settings, name, sources, login).ref
            built.append(name)
        pulumi.export(name, ref.apply(lambda known: known.pinned))
    return built


def _stack(folder: Path, program: Callable[[], None]) -> automation.Stack:
    """Return a stack whose state and temporary files lie in `folder`; the builder leaves a registry login there."""
    temporary = folder / "tmp"
    temporary.mkdir()
    options = automation.LocalWorkspaceOptions(
        work_dir=str(folder),
        env_vars={
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": random.token_hex(16),
            "PULUMI_CONFIG_PASSPHRASE_FILE": "",
            "TMPDIR": str(temporary),
        },
    )
    return automation.create_stack(STACK, project_name="acp-images", program=program, opts=options)


def _failed(text: str) -> ToolError:
    """Return the error of a build that failed: the end of what the engine said."""
    lines = [line for line in text.splitlines() if line.strip()]
    return ToolError("the images were not built:\n" + "\n".join(lines[-TAIL_LINES:]), mend="no stack was changed")
