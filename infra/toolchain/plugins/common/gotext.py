"""Text as Go prints it, where the official plugin's messages contain it."""

from __future__ import annotations

import os

ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", '"': '\\"', "\\": "\\\\",
}  # fmt: skip
HIGHEST_BYTE = 0x7F
HIGHEST_SHORT = 0xFFFF


def quote(text: str) -> str:
    """Return `text` in double quotes with Go's escapes (`%q`)."""
    return '"' + "".join(_quoted(character) for character in text) + '"'


def join_host_port(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def system_error(error: OSError) -> str:
    """Return what Go calls a system call's error: the message in lower case."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def _quoted(character: str) -> str:
    """Return one character as Go quotes it."""
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code <= HIGHEST_BYTE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= HIGHEST_SHORT else f"\\U{code:08x}"
