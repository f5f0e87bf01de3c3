"""Whether a tag still leads to what was built under it: whoever may push can move it before the update looks it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.domain.promotion import build_problems
from infra.errors import GateError, UsageError
from infra.paths import PROJECT_ROOT
from infra.settings.build_file import FILE_VARIABLE, awaited_build

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.domain.release import ImageRef
    from infra.settings.model import Settings


def refuse_other_than_built(settings: Settings, images: Iterable[ImageRef], environ: Mapping[str, str]) -> None:
    """Raise unless the images that a tag leads to are those of the build that `environ` names; it may name none.

    A signature does not tell: an older image of the stack has one too.
    """
    build = awaited_build(environ, PROJECT_ROOT)
    if build is None:
        return
    if not settings.image_tag:
        raise UsageError(
            f"{FILE_VARIABLE} names the build {build.image_tag}, and this update would build anew",
            mend=f"set ACP_IMAGE_TAG={build.image_tag} too, or unset it; nothing was changed",
        )
    found = {image.name: image.pinned for image in images}
    problems = build_problems(settings.image_tag, found, built_tag=build.image_tag, built=build.images)
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise GateError(
            f"what would be released is not what was built:\n{lines}",
            where=f"stack {settings.stack}",
            mend="did another run build this version meanwhile? If none did, find out who pushed to the registry. "
            "Then build again and release that, in CI by a new run from its first job; no host was changed",
        )
