"""The one error a plugin shows to its user."""

from __future__ import annotations


class PluginError(Exception):
    """A failure whose text is the whole message, in the words of the official plugin."""


def terraform_error(action: str, urn: str, text: str) -> PluginError:
    """Return the failure of `action` on `urn` the way the official Docker plugin lays it out."""
    return PluginError(f"{action} {urn}: 1 error occurred:\n\t* {text}\n\n")
