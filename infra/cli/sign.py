"""`acp-release sign`: signatures and attestations on what was built and passed the scan, by the run that built it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.adapters.trivy import Login
from infra.checks.clearance import SIGNER_MEND, may_sign, sign_images, verifier_of, vouched
from infra.checks.gate import ScanRequest, recorded_verdict
from infra.cli.options import emit, json_option, load, stack_option
from infra.errors import GateError, UsageError
from infra.paths import PROJECT_ROOT
from infra.settings.build_file import read_build_file
from infra.settings.secrets import IMAGE_KEY_PASSWORD, REGISTRY_PASSWORD, read_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.settings import Settings


@click.command(epilog="Example: acp-release sign --stack staging --images reports/build.json")
@stack_option
@click.option(
    "--images",
    "build_file",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File of `acp-release build` that names the digests.",
)
@click.option(
    "--hash", "expected", metavar="SHA256", help="SHA-256 of that file as the build gave it; another file is refused."
)
@click.option(
    "--built-elsewhere",
    is_flag=True,
    help="Vouch with the stack's own key for images that `acp-release build` did not make.",
)
@json_option
def sign(stack: str, build_file: Path, *, expected: str | None, built_elsewhere: bool, as_json: bool) -> None:
    """Sign the images of a build and attach SBOM and provenance.

    Refuses a digest without a passed scan report, and one that neither this build made nor a signature vouches for.
    """
    settings = load(stack)
    built = read_build_file(build_file, expected_hash=expected)
    signing = settings.gate.signing
    if signing is None:
        emit({"signed": []}, as_json=as_json, text=lambda: click.echo(f"stack {stack} asks for no signatures"))
        return
    if built_elsewhere and not signing.image_key_file:
        raise UsageError(
            "--built-elsewhere is for a person who signs with a key: a keyless signature says that CI built the image",
            mend=f"set `gate.signing.image_key_file`, or run `acp-release build --stack {stack}`; nothing was signed",
        )
    _refuse_unscanned(settings, built.images)
    names = (REGISTRY_PASSWORD, *((IMAGE_KEY_PASSWORD,) if signing.image_key_file else ()))
    secrets = read_secrets(settings, os.environ, root=PROJECT_ROOT, names=names)
    if not may_sign(signing):
        raise GateError(
            "this run cannot sign: it has no key, and CI does not vouch for it",
            mend="set `gate.signing.image_key_file`, or give the job the permission `id-token: write`",
        )
    click.echo(f"signing {', '.join(sorted(built.images))}", err=True)
    made = built.images if built_elsewhere else built.built
    sign_images(settings, secrets, built.images, built=made, commit=built.commit)
    problems = vouched(settings, secrets, verifier_of(signing), built.images).problems
    if problems:
        raise GateError(
            "the signatures do not count:\n" + "\n".join(problems), mend=f"{SIGNER_MEND} No host was changed"
        )
    document = {"signed": sorted(built.images), "by": str(verifier_of(signing))}
    emit(document, as_json=as_json, text=lambda: click.echo(f"{', '.join(document['signed'])} signed"))


def _refuse_unscanned(settings: Settings, images: Mapping[str, str]) -> None:
    """Raise unless every digest has a passed verdict in the stack's report folder."""
    nobody = Login(username="", password="")
    missing = [
        f"  - {name}: no passed scan of {image}"
        for name, image in images.items()
        if not recorded_verdict(ScanRequest(name=name, image=image, settings=settings, login=nobody))
    ]
    if missing:
        raise GateError(
            "not everything was scanned:\n" + "\n".join(missing),
            mend=f"`acp-release scan --stack {settings.stack} --images FILE` first",
        )
