"""arq: no results kept, polls every half second (its default). It acknowledges late, always.

A poll reads at least 1,000 jobs, as its default of 100 at a concurrency of 10 would leave it waiting for the next poll
most of the time. Its default is five times the concurrency, where that is more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from arq import Retry, create_pool, func
from arq.connections import ArqRedis, RedisSettings

from bench.peers.work import ASYNC_BODIES, CONCURRENCY, REDIS_URL, RETRY_S, FailedOnPurpose

_pool: ArqRedis


async def noop(ctx: Any, n: int, arg: int) -> None:
    await ASYNC_BODIES["noop"](n, arg)


async def sleep_io(ctx: Any, n: int, arg: int) -> None:
    await ASYNC_BODIES["sleep_io"](n, arg)


async def cpu(ctx: Any, n: int, arg: int) -> None:
    await ASYNC_BODIES["cpu"](n, arg)


async def fail_once(ctx: Any, n: int, arg: int) -> None:
    try:
        await ASYNC_BODIES["fail_once"](n, arg)
    except FailedOnPurpose as failure:
        raise Retry(defer=RETRY_S) from failure  # arq retries nothing else


class WorkerSettings:
    functions = [func(each, keep_result=0, max_tries=4) for each in (noop, sleep_io, cpu, fail_once)]  # noqa: RUF012
    redis_settings = RedisSettings.from_dsn(REDIS_URL)
    max_jobs = CONCURRENCY
    queue_read_limit = max(1000, 5 * CONCURRENCY)
    log_results = False


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    global _pool
    _pool = await create_pool(WorkerSettings.redis_settings)
    yield
    await _pool.aclose()


async def push(kind: str, n: int, arg: int) -> None:
    await _pool.enqueue_job(kind, n, arg)


async def push_at(kind: str, n: int, arg: int, due: float) -> None:
    await _pool.enqueue_job(kind, n, arg, _defer_until=datetime.fromtimestamp(due, UTC))
