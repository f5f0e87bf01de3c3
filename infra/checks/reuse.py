"""Whether an image that lies in the registry may stand in for a build of its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.adapters.cosign import Cosign
from infra.adapters.image_tags import VERSION_LABEL, ImageTags
from infra.checks.clearance import verifier_of
from infra.errors import GateError

if TYPE_CHECKING:
    from infra.domain.release import ImageRef
    from infra.settings.model import Settings


def why_not_reused(settings: Settings, password: str, image: ImageRef) -> str:
    """Return why a published image does not stand in for the build of its tag, empty when it does.

    Whoever may push can put any image under a tag that is known ahead, also an older one of this stack. So where the
    stack has signatures one that counts must vouch for the image, and the image must say that it is this version.
    Raises `GateError` when that cannot be asked: to build it anew would replace an image that may be good.
    """
    signing, registry = settings.gate.signing, settings.registry
    if signing is None:
        return ""
    cosign = Cosign(server=registry.server, username=registry.username, password=password)
    if problem := cosign.problem(image.pinned, verifier_of(signing)):
        if not problem.is_verdict:
            raise GateError(
                f"{image.name}:{image.tag} is in the registry, and nobody can say whether it is signed: {problem.text}",
                mend="run it again when registry and signatures can be asked; nothing was built",
            )
        return problem.text
    tags = ImageTags(server=registry.server, username=registry.username, password=password)
    version = tags.labels(image.pinned).get(VERSION_LABEL)
    return "" if version == image.tag else f"its own label says {version or 'no version'}"
