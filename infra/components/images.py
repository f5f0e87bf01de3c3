"""The images of a release: built and pushed, or an already published tag; either way only a digest leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_docker as docker
import pulumi_docker_build as docker_build

from infra.adapters.image_tags import VERSION_LABEL
from infra.adapters.registry import image_error, refuse_silent
from infra.components.build_failure import build_hook
from infra.domain.build_definition import DEFINITION_LABEL, definition_of
from infra.domain.release import ImageRef
from infra.errors import ImageMissingError

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings.model import Image, Registry

BUILD_TIMEOUT = "20m"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseImageArgs:
    """What one image is made from and where it goes."""

    image: Image
    registry: Registry
    password: pulumi.Input[str]
    version: str
    commit: str
    root: Path


class ReleaseImage(pulumi.ComponentResource):
    """One image built with BuildKit and pushed; `ref` is its digest-pinned name."""

    ref: pulumi.Output[ImageRef]

    def __init__(self, name: str, args: ReleaseImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the build; an unchanged context is not built again."""
        super().__init__("acp:images:ReleaseImage", name, None, opts)
        repository = args.registry.repository(name)
        tag = f"{repository}:{args.version}"
        image = docker_build.Image(
            f"{name}-image",
            context=docker_build.BuildContextArgs(location=str(args.root / args.image.context)),
            dockerfile=docker_build.DockerfileArgs(location=str(args.root / args.image.dockerfile)),
            build_args=args.image.build_args,
            target=args.image.target,
            labels={
                VERSION_LABEL: args.version,
                "org.opencontainers.image.revision": args.commit,
                DEFINITION_LABEL: definition_of(args.image),
            },
            platforms=[docker_build.Platform.LINUX_AMD64],
            tags=[tag],
            push=True,
            exec_=True,
            builder=docker_build.BuilderConfigArgs(name="default"),
            build_on_preview=False,
            registries=[
                docker_build.RegistryArgs(
                    address=args.registry.server, username=args.registry.username, password=args.password
                )
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                retain_on_delete=True,
                custom_timeouts=pulumi.CustomTimeouts(create=BUILD_TIMEOUT, update=BUILD_TIMEOUT),
                additional_secret_outputs=["registries"],
                hooks=pulumi.ResourceHookBinding(on_error=[build_hook(name, args.image, args.root, tag)]),
            ),
        )
        self.ref = image.digest.apply(
            lambda digest: ImageRef(name=name, repository=repository, tag=args.version, digest=digest)
        )
        self.register_outputs({"ref": self.ref.apply(lambda ref: f"{ref.repository}:{ref.tag}@{ref.digest}")})


class PublishedImages:
    """Tags that are in the registry already, resolved to digests without changing anything."""

    def __init__(self, registry: Registry, password: pulumi.Input[str]) -> None:
        """Prepare the login for look-ups."""
        self._registry = registry
        provider = docker.Provider(
            "registry",
            registry_auth=[
                docker.ProviderRegistryAuthArgs(address=registry.server, username=registry.username, password=password)
            ],
            opts=pulumi.ResourceOptions(additional_secret_outputs=["registryAuth"]),
        )
        self._options = pulumi.InvokeOptions(provider=provider)
        self._is_known_to_answer = False

    def resolve(self, name: str, tag: str) -> ImageRef:
        """Return an image of the release as the registry has it now; `ImageMissingError` when the tag is not there."""
        return self._lookup(name, self._registry.repository(name), tag)

    def find(self, name: str, tag: str) -> ImageRef | None:
        """Return an image of the release as the registry has it now, or None when the tag is not there."""
        try:
            return self.resolve(name, tag)
        except ImageMissingError:
            return None

    def pin(self, image: str) -> pulumi.Output[str]:
        """Return a third-party image as `repository@sha256:…`; what is pinned already stays as it is."""
        if "@sha256:" in image:
            return pulumi.Output.from_input(image)
        path, _, tag = image.rpartition(":")
        return pulumi.Output.from_input(self._lookup(path, f"{self._registry.server}/{path}", tag).pinned)

    def _lookup(self, name: str, repository: str, tag: str) -> ImageRef:
        if not self._is_known_to_answer:
            refuse_silent(self._registry.server)
            self._is_known_to_answer = True
        try:
            found = docker.get_registry_image(name=f"{repository}:{tag}", opts=self._options)
        except Exception as error:  # noqa: BLE001 - the provider's failures arrive as plain Exception
            raise image_error(f"{repository}:{tag}", str(error)) from None
        return ImageRef(name=name, repository=repository, tag=tag, digest=found.sha256_digest)
