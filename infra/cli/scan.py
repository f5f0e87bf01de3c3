"""`acp-release scan`: the gate's scan by itself, for a job that has nothing worth stealing."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.adapters.ci_files import add_summary
from infra.adapters.image_tags import ImageTags
from infra.adapters.trivy import Login
from infra.checks.gate import ScanRequest, scan_image
from infra.cli.options import emit, json_option, load_wanted, stack_option
from infra.domain.markdown import fenced
from infra.domain.recorded_gate import summary
from infra.errors import GateError, UsageError
from infra.paths import PROJECT_ROOT
from infra.settings.build_file import read_build_file
from infra.settings.secrets import REGISTRY_PASSWORD, read_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.settings import Settings


@click.command(epilog="Example: acp-release scan --stack staging")
@stack_option
@click.option(
    "--images",
    "build_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Scan what this file of `acp-release build` names; default: the tag `ACP_IMAGE_TAG`.",
)
@json_option
def scan(stack: str, build_file: Path | None, *, as_json: bool) -> None:
    """Scan and judge the images of a release by the rules of a stack. Exit code 40 when one is blocked.

    JSON, SARIF, table and SBOM of each are in the stack's report folder, also when it is blocked.
    """
    settings = load_wanted(stack)
    password = read_secrets(settings, os.environ, root=PROJECT_ROOT, names=(REGISTRY_PASSWORD,))[REGISTRY_PASSWORD]
    images = _images(settings, password, build_file)
    reports, problems = scan_all(settings, password, images)
    add_summary(f"### Scan of `{stack}`\n\n" + fenced("\n".join([*map(summary, reports), *problems])))
    if not (as_json and problems):
        emit(reports, as_json=as_json, text=lambda: click.echo("\n".join(map(summary, reports))))
    if problems:
        raise BlockedError(problems, reports)


class BlockedError(GateError):
    """Images of the release are blocked; as JSON it has the reports of those that passed too."""

    def __init__(self, problems: Sequence[str], reports: Sequence[Mapping[str, Any]]) -> None:
        """Keep the reports, so that `--json` prints one document."""
        super().__init__("\n".join(problems), mend="no host was changed")
        self.reports = reports

    def to_json(self) -> dict[str, object]:
        """Return the error with the reports."""
        return {**super().to_json(), "error": GateError.__name__, "reports": list(self.reports)}


def _images(settings: Settings, password: str, build_file: Path | None) -> dict[str, str]:
    """Return the digest-pinned images to scan."""
    if build_file is not None:
        return dict(read_build_file(build_file).images)
    if settings.image_tag is None:
        raise UsageError("nothing to scan is named", mend="set ACP_IMAGE_TAG, or --images with a file of the build")
    registry = settings.registry
    tags = ImageTags(server=registry.server, username=registry.username, password=password)
    return {name: tags.pinned(registry.repository(name), settings.image_tag) for name in settings.images}


def scan_all(settings: Settings, password: str, images: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the reports of the images that passed and the reasons of those that did not: none hides another."""
    login = Login(username=settings.registry.username, password=password)

    def one(item: tuple[str, str]) -> dict[str, Any] | str:
        name, image = item
        request = ScanRequest(name=name, image=image, settings=settings, login=login)
        try:
            return scan_image(request, lambda line: click.echo(line, err=True))
        except GateError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(one, images.items()))
    return [done for done in results if isinstance(done, dict)], [done for done in results if isinstance(done, str)]
