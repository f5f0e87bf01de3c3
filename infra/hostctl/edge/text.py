"""Pieces of HAProxy's configuration language."""

from __future__ import annotations


def section(title: str, lines: list[str]) -> str:
    """Return one section."""
    return "\n".join([title, *(f"    {line}" for line in lines)])


def escape(text: str) -> str:
    """Return text as a regular expression for HAProxy's configuration."""
    return "".join(
        character if character.isalnum() or character in "/_-~" else f"\\\\{character}" for character in text
    )


def milliseconds(seconds: float) -> str:
    """Return a time as HAProxy takes it."""
    return f"{round(seconds * 1000)}ms"
