"""`timeout_s` at work: an async job that takes too long is cancelled and fails with a TimeoutError."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any


async def within(awaitable: Awaitable[Any], timeout_s: float, what: str) -> Any:
    """Await it for `timeout_s` seconds at most, then cancel it. `what` is its name in the message.

    Raises TimeoutError once it has ended, which is when it has cleaned up. One that swallows the cancellation and goes
    on is not cancelled again, and counts as ended in time.
    """
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as exc:
        if limit.expired() and isinstance(exc.__cause__, asyncio.CancelledError):
            message = f"{what} was cancelled after {timeout_s:g} s, as its timeout_s says"
            raise TimeoutError(message) from exc.__cause__
        raise  # its own
