"""Registry failures in our words."""

from __future__ import annotations

import re

from infra.errors import ImageMissingError, RegistryError


def image_error(reference: str, text: str) -> RegistryError:
    """Return the error for a failed look-up of `reference`, given what the provider said."""
    if re.search(r"\b404\b", text) or "not found" in text.lower() or "manifest unknown" in text.lower():
        return ImageMissingError(
            f"{reference} is not in the registry", mend="push it first, or name a tag that exists; nothing was changed"
        )
    if re.search(r"\b40[13]\b", text) or "unauthorized" in text.lower():
        return RegistryError(
            "the registry refused the login", where=reference,
            mend="check `registry.username` and the secret REGISTRY_PASSWORD; nothing was changed",
        )  # fmt: skip
    if "x509" in text or "certificate" in text.lower():
        return RegistryError(
            "the registry's certificate is not trusted", where=reference,
            mend="add its CA to the system's trusted certificates; nothing was changed",
        )  # fmt: skip
    reason = text.strip().splitlines()[-1] if text.strip() else "no reason given"
    return RegistryError(
        f"the registry did not answer: {reason}", where=reference, mend="is it up and reachable? Nothing was changed"
    )
