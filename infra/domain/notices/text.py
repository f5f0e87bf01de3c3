"""Text that others wrote, made harmless: no markup, mention or link of theirs survives, and nothing is too long."""

from __future__ import annotations

import re

ELLIPSIS = "…"
REASON_LINES = 3

_NEUTRAL = str.maketrans({"<": "(", ">": ")"})
_SCHEME = re.compile(r"(?<=[A-Za-z0-9+.-]):(?=//)")
_BARE_HOST = re.compile(r"\bwww\.(?=\w)", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_MARKDOWN_LINK = re.compile(r"\](?=[(\[])")


def plain(text: str, limit: int) -> str:
    """Return `text` as one line of at most `limit` characters in which no receiver finds markup.

    Angle brackets (Slack's and Teams' mentions and links, HTML) become other characters, `@name` is written out, an
    address is broken so that nothing makes a link of it, and control and direction characters become spaces.
    """
    printable = "".join(character if character.isprintable() else " " for character in text)
    harmless = " ".join(printable.split()).translate(_NEUTRAL)
    harmless = _SCHEME.sub("[:]", harmless)
    harmless = _BARE_HOST.sub("www[.]", harmless)
    harmless = _MENTION.sub("(at)", harmless)
    return cut(_MARKDOWN_LINK.sub("] ", harmless), limit)


def top_reason(text: str, limit: int) -> str:
    """Return the first lines of a reason as one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return plain(" · ".join(lines[:REASON_LINES]), limit)


def cut(text: str, limit: int) -> str:
    """Return `text`, with an ellipsis in place of what is over `limit` characters."""
    return text if len(text) <= limit else text[: limit - len(ELLIPSIS)].rstrip() + ELLIPSIS


def duration(seconds: float) -> str:
    """Return a duration for people: `42 s`, `3 min 5 s`, `1 h 2 min`."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
