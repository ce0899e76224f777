"""streaq: no results kept, prefetches as many as it runs (its default). It acknowledges late, always."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from streaq import StreaqRetry, Worker

from bench.peers.work import ASYNC_BODIES, CONCURRENCY, REDIS_URL, RETRY_S, FailedOnPurpose

logging.getLogger("streaq").setLevel(logging.WARNING)
worker = Worker(redis_url=REDIS_URL, concurrency=CONCURRENCY)


async def fail_once(n: int, arg: int) -> None:
    try:
        await ASYNC_BODIES["fail_once"](n, arg)
    except FailedOnPurpose as failure:
        raise StreaqRetry(delay=RETRY_S) from failure  # streaq retries nothing else


HANDLERS = {**ASYNC_BODIES, "fail_once": fail_once}
TASKS = {kind: worker.task(name=kind, ttl=0, silent=True)(handler) for kind, handler in HANDLERS.items()}


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    async with worker:
        yield


async def push(kind: str, n: int, arg: int) -> None:
    await TASKS[kind].enqueue(n, arg)


async def push_many(kind: str, numbers: range, arg: int) -> None:
    await worker.enqueue_many([TASKS[kind].enqueue(n, arg) for n in numbers])


async def push_at(kind: str, n: int, arg: int, due: float) -> None:
    await TASKS[kind].enqueue(n, arg).start(schedule=datetime.fromtimestamp(due, UTC))
