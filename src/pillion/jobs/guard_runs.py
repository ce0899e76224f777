"""Where locks, markers and circuits are kept: in the Redis of a home, or in the memory of a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pillion.jobs.calls import Home
from pillion.storage.ops.base import Op


def run(home: Home, ops: Sequence[Op[Any]]) -> list[Any]:
    """Carry out ops of `pillion.storage.ops.guards`. A client of a test mode has `guards` for it, instead of Redis."""
    client = home.client()
    runner: Any = getattr(client, "guards", None) or client.storage
    replies: list[Any] = runner.run_all(ops)
    return replies


async def run_aio(home: Home, ops: Sequence[Op[Any]]) -> list[Any]:
    """The same from an event loop."""
    client = home.async_client()
    runner: Any = getattr(client, "guards", None) or client.storage
    replies: list[Any] = await runner.run_all(ops)
    return replies


async def run_aio_to_end(home: Home, ops: Sequence[Op[Any]]) -> list[Any]:
    """The same for what must not be left half-way: who is cancelled meanwhile is so when Redis has answered.

    Else nobody would know whether it was carried out, or may still be.
    """
    import asyncio  # here, as a program that only has threads does without it

    sent = asyncio.ensure_future(run_aio(home, ops))
    try:
        return await asyncio.shield(sent)
    except asyncio.CancelledError:
        await asyncio.wait((sent,))
        if not sent.cancelled():
            sent.exception()  # it has been looked at: what counts is that we are cancelled
        raise
