"""Docker's framed output of containers without a terminal."""

from __future__ import annotations

import struct

HEADER_BYTES = 8
STREAMS = {0, 1, 2}


def demultiplex(content: bytes) -> bytes:
    """Return stdout and stderr of a framed stream in the order they came; an unframed stream is returned as it is."""
    parts, offset = [], 0
    while offset + HEADER_BYTES <= len(content):
        stream, size = struct.unpack(">BxxxL", content[offset : offset + HEADER_BYTES])
        if stream not in STREAMS or content[offset + 1 : offset + 4] != b"\0\0\0":
            return content
        offset += HEADER_BYTES
        parts.append(content[offset : offset + size])
        offset += size
    return b"".join(parts)
