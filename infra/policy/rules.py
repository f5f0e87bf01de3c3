"""What every resource of a stack must keep to; pure, so that the policy pack and the tests judge the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PINNED = re.compile(r"@sha256:[0-9a-f]{64}$")
REMOTE_COMMAND = "command:remote:Command"
REMOTE_COPY = "command:remote:CopyToRemote"
DEPLOYS = re.compile(r"\bhostctl start\b")


def image_tags_are_versions(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """An image is pushed under a version: `latest` moves."""
    del protect
    if kind == "docker-build:index:Image":
        for tag in props.get("tags") or []:
            if str(tag).rpartition(":")[2].lower() == "latest":
                yield f"{tag}: name a version"


def scans_are_by_digest(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """The gate judges a digest: a tag could be another image by the time it is pulled."""
    del protect
    if kind.endswith("acp:Scan") and not PINNED.search(str(props.get("image", ""))):
        yield f"{props.get('image')}: must be a digest"


def host_keys_are_pinned(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """A connection shows the host key that the stack names."""
    del protect
    if kind in {REMOTE_COMMAND, REMOTE_COPY} and not (props.get("connection") or {}).get("hostKey"):
        yield "connection.hostKey must be set: without it any host is trusted"


def deploys_only_update(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """A release is an update in place: `triggers` would replace it, a `delete` would stop what serves."""
    del protect
    if kind == REMOTE_COMMAND and DEPLOYS.search(str(props.get("create", ""))):
        for key in ("triggers", "delete"):
            if props.get(key):
                yield f"{key} must not be set on a command that starts a release"


def remote_output_is_quiet(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """What runs on a host is not logged by the provider, which does not know what is secret."""
    del protect
    if kind == REMOTE_COMMAND and props.get("logging") != "none":
        yield "logging must be none"


def data_is_protected(kind: str, props: Mapping[str, Any], *, protect: bool) -> Iterator[str]:
    """A volume is protected: its replacement would delete the data."""
    if kind == "docker:index/volume:Volume" and not protect:
        yield f"{props.get('name')}: must be protected"


RULES: dict[str, Callable[..., Iterator[str]]] = {
    "image-tags-are-versions": image_tags_are_versions,
    "scans-are-by-digest": scans_are_by_digest,
    "host-keys-are-pinned": host_keys_are_pinned,
    "deploys-only-update": deploys_only_update,
    "remote-output-is-quiet": remote_output_is_quiet,
    "data-is-protected": data_is_protected,
}
