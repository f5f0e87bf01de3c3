"""`docker:index/getRegistryImage:getRegistryImage`."""

from __future__ import annotations

from typing import Any

from infra.toolchain.plugins.common.failure import PluginError
from infra.toolchain.plugins.docker.credentials import Login, parse_logins
from infra.toolchain.plugins.docker.image_name import parse_image_name
from infra.toolchain.plugins.docker.registry import image_digest

TOKEN = "docker:index/getRegistryImage:getRegistryImage"  # noqa: S105 - a function's name


def registry_image(arguments: dict[str, Any], registry_auth: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `name`, `id` and `sha256Digest` of a published image; the login is the provider's for that registry."""
    image = parse_image_name(arguments["name"])
    insecure = bool(arguments.get("insecureSkipVerify"))
    try:
        login = parse_logins(registry_auth).get(image.registry, Login(address=f"https://{image.registry}"))
        digest = image_digest(image, login, verify=not insecure)
    except PluginError as error:
        message = f"invoking {TOKEN}: 1 error occurred:\n\t* {error}\n\n"
        raise PluginError(message) from None
    result = {"name": arguments["name"], "id": digest, "sha256Digest": digest}
    return {**result, "insecureSkipVerify": True} if insecure else result
