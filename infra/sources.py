"""Where a release comes from: built from the checkout, published under a tag, or recorded earlier."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.adapters.files import read_compose
from infra.adapters.git import Sources, commit_of, describe_sources
from infra.checks.built import refuse_other_than_built
from infra.checks.compose import check_compose
from infra.components.images import PublishedImages, ReleaseImage, ReleaseImageArgs
from infra.domain.compose import unknown_secrets
from infra.domain.naming import tag_of
from infra.domain.release import Release, build_release
from infra.errors import SettingsError, UsageError
from infra.paths import PROJECT_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.release import Earlier
    from infra.settings import Settings
    from infra.settings.model import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A release and where it comes from; `platform` has the pinned images of edge and core, by name.

    `commit` is one of the project's repository, empty where its sources are from elsewhere or nobody knows.
    """

    release: pulumi.Output[Release]
    versions: Mapping[str, str]
    commit: str
    platform: Mapping[str, pulumi.Output[str]]


def find_source(
    settings: Settings, earlier: Earlier, password: pulumi.Output[str], fingerprints: Mapping[str, str]
) -> Source:
    """Return what the settings ask for: `rollback_to` before `image_tag` before a build."""
    if settings.rollback_to:
        return recorded_source(settings, earlier, password)
    published = PublishedImages(settings.registry, password)
    platform = {name: published.pin(image) for name, image in platform_images(settings).items()}
    if settings.image_tag:
        tag = settings.image_tag
        found = [published.resolve(name, tag) for name in settings.images]
        refuse_other_than_built(settings, found, os.environ)
        images = {image.name: pulumi.Output.from_input(image) for image in found}
        versions, version, commit = dict.fromkeys(settings.images, tag), tag, commit_of(PROJECT_ROOT, tag)
    else:
        refuse_other_than_built(settings, [], os.environ)
        refuse_missing_sources(settings)
        with ThreadPoolExecutor() as pool:  # each asks git a dozen times
            looking = {name: pool.submit(sources_of, settings, [image]) for name, image in settings.images.items()}
            whole = sources_of(settings, settings.images.values())
        own = {name: asked.result() for name, asked in looking.items()}
        versions = {name: image_version(settings, sources) for name, sources in own.items()}
        version, commit = image_version(settings, whole), whole.project_commit
        images = {name: build_image(settings, name, sources, password).ref for name, sources in own.items()}
    template = app_template(settings)
    release = pulumi.Output.all(**images).apply(
        lambda known: build_release(settings, template, known, version=version, fingerprints=fingerprints)
    )
    return Source(release=release, versions=versions, commit=commit, platform=platform)


def check_templates(settings: Settings) -> None:
    """Raise what is wrong with the compose files before anything is declared; a recorded release has its own."""
    if not settings.rollback_to:
        core = read_compose(settings.core.compose_file) if settings.core else None
        check_compose(settings, app_template(settings), core)


def recorded_source(settings: Settings, earlier: Earlier, password: pulumi.Output[str]) -> Source:
    """Return the release `rollback_to` as it was recorded, with the edge and core of today."""
    wanted = settings.rollback_to
    entry = earlier.find(wanted) if wanted else None
    if entry is None:
        known = ", ".join(dict.fromkeys(str(entry["release"]) for entry in earlier.history)) or "none"
        raise UsageError(f"{wanted} is not in this stack's record", mend=f"name one of: {known}; nothing was changed")
    current = earlier.entry or entry
    return Source(
        release=pulumi.Output.from_input(Release.from_record(entry)),
        versions=entry["summary"]["versions"],
        commit=str(entry["commit"]),
        platform=known_platform(settings, current["platform"], password),
    )


def known_platform(
    settings: Settings, recorded: Mapping[str, str], password: pulumi.Output[str]
) -> dict[str, pulumi.Output[str]]:
    """Return the platform images that a rollback runs, by name and pinned, without the registry where that can be.

    A digest in the stack file is what was reviewed and counts. A tag stays at the digest in the record, `recorded`, if
    that is of the same repository; else the registry is asked what it names.
    """
    images = platform_images(settings)
    known = {name: image for name, image in images.items() if "@sha256:" in image}
    for name, image in images.items():
        path = image.rpartition(":")[0]
        if name not in known and recorded.get(name, "").startswith(f"{settings.registry.server}/{path}@"):
            known[name] = recorded[name]
    found = {name: pulumi.Output.from_input(str(image)) for name, image in known.items()}
    if len(found) < len(images):
        published = PublishedImages(settings.registry, password)
        found |= {name: published.pin(image) for name, image in images.items() if name not in found}
    return found


def platform_images(settings: Settings) -> dict[str, str]:
    """Return the third-party images of the stack by name: the edge, and the data services where it has its own."""
    return {"edge": settings.edge.image, **(settings.core.images if settings.core else {})}


def image_version(settings: Settings, sources: Sources) -> str:
    """Return the tag of what is made from `sources`: the stack's version, or that of their last commit."""
    return settings.version or tag_of(sources.version)


def sources_of(settings: Settings, images: Iterable[Image]) -> Sources:
    """Return version and commit of some images together; where the stack has a version, git need not know them."""
    try:
        return describe_sources(PROJECT_ROOT, [path for image in images for path in paths_of(image)])
    except SettingsError:
        if not settings.version:
            raise
        return Sources(version=settings.version, commit="")


def refuse_missing_sources(settings: Settings) -> None:
    """Raise `SettingsError` with every build context and Dockerfile that is not there."""
    problems = []
    for name, image in settings.images.items():
        if not (PROJECT_ROOT / image.context).is_dir():
            problems.append(f"images.{name}.context: there is no folder {image.context}")
        if not (PROJECT_ROOT / image.dockerfile).is_file():
            problems.append(f"images.{name}.dockerfile: there is no file {image.dockerfile}")
    if problems:
        mend = "paths are relative to the project, or absolute; nothing was changed"
        raise SettingsError(f"stacks/Pulumi.{settings.stack}.yaml", problems, mend=mend)


def paths_of(image: Image) -> list[str]:
    """Return the paths an image is made from."""
    return list(image.sources or (image.context, image.dockerfile))


def app_template(settings: Settings) -> dict[str, Any]:
    """Return the app's compose file; raise `SettingsError` when it does not fit the settings."""
    template = read_compose(settings.compose_file)
    missing = [
        f"services.{name}.compose_service: there is no service {service.compose_service!r} in the compose file"
        for name, service in settings.services.items()
        if service.compose_service not in template["services"]
    ]
    problems = missing + unknown_secrets(settings, template)
    if problems:
        raise SettingsError(settings.compose_file, problems)
    return template


def build_image(settings: Settings, name: str, sources: Sources, password: pulumi.Output[str]) -> ReleaseImage:
    """Declare the build of one image from its own `sources`."""
    image = settings.images[name]
    return ReleaseImage(
        name,
        ReleaseImageArgs(
            image=image,
            registry=settings.registry,
            password=password,
            version=image_version(settings, sources),
            commit=sources.commit,
            root=PROJECT_ROOT,
        ),
    )
