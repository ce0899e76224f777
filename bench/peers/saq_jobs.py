"""saq: no results kept (ttl -1), no time limit of a job. It acknowledges late, always."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue

from bench.peers.work import ASYNC_BODIES, CONCURRENCY, REDIS_URL, RETRY_S

# It polls with each of its slots, and redis-py's pool ends at 100 connections by default.
queue = Queue.from_url(f"{REDIS_URL}?max_connections={2 * CONCURRENCY + 100}")
OPTIONS: dict[str, Any] = {"ttl": -1, "timeout": 0, "retries": 4, "retry_delay": RETRY_S}


def handler(kind: str) -> Any:
    """What saq calls: arguments by name, after its own."""

    async def run(ctx: Any, *, n: int, arg: int) -> None:
        await ASYNC_BODIES[kind](n, arg)

    return run


settings = {
    "queue": queue,
    "functions": [(kind, handler(kind)) for kind in ASYNC_BODIES],
    "concurrency": CONCURRENCY,
}


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    await queue.connect()
    yield
    await queue.disconnect()


async def push(kind: str, n: int, arg: int) -> None:
    await queue.enqueue(kind, n=n, arg=arg, **OPTIONS)


async def push_at(kind: str, n: int, arg: int, due: float) -> None:
    await queue.enqueue(kind, n=n, arg=arg, scheduled=due, **OPTIONS)
