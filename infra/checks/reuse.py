"""Whether an image that lies in the registry may stand in for a build of its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.cosign import Cosign
from infra.adapters.image_tags import VERSION_LABEL, ImageTags
from infra.checks.clearance import verifier_of
from infra.domain.build_definition import DEFINITION_LABEL, definition_of
from infra.errors import GateError

if TYPE_CHECKING:
    from infra.adapters.cosign import Verifier
    from infra.domain.release import ImageRef
    from infra.settings.model import Registry, Settings


def why_not_reused(settings: Settings, password: str, image: ImageRef) -> str:
    """Return why a published image does not stand in for the build of its tag, empty when it does.

    The version follows the sources: that the stack file has other build arguments or another stage since then, only
    the image's own label tells; one without it is from before there was one. Whoever may push can put any image under a
    tag that is known ahead, also an older one of this stack. So where the stack has signatures one that counts must
    vouch for the image, and the image must say that it is this version.
    Raises `GateError` when that cannot be asked: to build it anew would replace an image that may be good.
    """
    signing, registry = settings.gate.signing, settings.registry
    if signing and (problem := _why_unsigned(registry, password, image, verifier_of(signing))):
        return problem
    labels = ImageTags(server=registry.server, username=registry.username, password=password).labels(image.pinned)
    version = labels.get(VERSION_LABEL)
    if signing and version != image.tag:
        return f"its own label says {version or 'no version'}"
    definition = definition_of(settings.images[image.name])
    if labels.get(DEFINITION_LABEL, definition) != definition:
        return "its context, Dockerfile, target or build_args in the stack file were others when it was built"
    return ""


def _why_unsigned(registry: Registry, password: str, image: ImageRef, verifier: Verifier) -> str:
    """Return why nobody vouches for an image, empty when somebody does; raise `GateError` when nobody can say."""
    cosign = Cosign(server=registry.server, username=registry.username, password=password)
    problem = cosign.problem(image.pinned, verifier)
    if problem is None:
        return ""
    if not problem.is_verdict:
        raise GateError(
            f"{image.name}:{image.tag} is in the registry, and nobody can say whether it is signed: {problem.text}",
            mend="run it again when registry and signatures can be asked; nothing was built",
        )
    return problem.text
