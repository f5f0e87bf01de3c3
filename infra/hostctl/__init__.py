"""hostctl: the program that acts on a host; Python 3.9+ and the standard library only."""

from __future__ import annotations

PROTOCOL = 1
