"""`acp-release build`: the images of a release built, pushed and tagged, ahead of any stack's update."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from infra.adapters.ci_files import set_output
from infra.adapters.image_tags import ImageTags
from infra.cli.options import emit, json_option, load, stack_option
from infra.image_build import build_commit, build_images, build_tag
from infra.paths import PROJECT_ROOT
from infra.settings.build_file import hash_of
from infra.settings.secrets import REGISTRY_PASSWORD, read_secrets


@click.command(epilog="Example: acp-release build --stack staging --save reports/build.json")
@stack_option
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write tag and digests to this file.")
@json_option
def build(stack: str, save: Path | None, *, as_json: bool) -> None:
    """Build and push what the registry lacks, and give all images of the release one tag.

    With `gate.signing` a version counts as there only when a signature vouches for it; else it is built anew.
    An update then releases that tag (`ACP_IMAGE_TAG`) and builds nothing; with `ACP_BUILD_FILE`, the saved file, only
    while the tag leads to these digests. In CI tag and SHA-256 of the file are the step's outputs `image_tag` and
    `build_hash`.
    """
    settings = load(stack)
    password = read_secrets(settings, os.environ, root=PROJECT_ROOT, names=(REGISTRY_PASSWORD,))[REGISTRY_PASSWORD]
    done = build_images(settings, password, lambda line: click.echo(line.rstrip("\n"), err=True))
    tag = build_tag(settings)
    tags = ImageTags(server=settings.registry.server, username=settings.registry.username, password=password)
    for pinned in done.images.values():
        tags.add(pinned, tag)
    document = {"image_tag": tag, "commit": build_commit(settings), "images": done.images, "built": done.built}
    if save is not None:
        content = (json.dumps(document, indent=2) + "\n").encode()
        save.parent.mkdir(parents=True, exist_ok=True)
        save.write_bytes(content)
        set_output("build_hash", hash_of(content))
    set_output("image_tag", tag)
    lines = [f"image tag {tag}", *(f"{name} {pinned}" for name, pinned in done.images.items())]
    emit(document, as_json=as_json, text=lambda: click.echo("\n".join(lines)))
