"""The custom timeout of a resource."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from infra.toolchain.plugins.common.failure import PluginError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Give up what runs in this block after `seconds`; 0 means no limit."""
    try:
        async with asyncio.timeout(seconds or None):
            yield
    except TimeoutError:
        message = "context deadline exceeded"
        raise PluginError(message) from None
