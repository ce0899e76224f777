"""taskiq with its Redis stream broker: acknowledged after the run, no result backend, 100 messages a read.

Scheduled jobs and delayed retries go through its list schedule source, which needs a process of its own
(`taskiq scheduler`); that one looks once a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from taskiq import TaskiqScheduler
from taskiq.middlewares import SmartRetryMiddleware
from taskiq_redis import ListRedisScheduleSource, RedisStreamBroker

from bench.peers.work import ASYNC_BODIES, REDIS_URL, RETRY_S

source = ListRedisScheduleSource(REDIS_URL)
broker = RedisStreamBroker(REDIS_URL, consumer_id="0").with_middlewares(
    SmartRetryMiddleware(default_delay=RETRY_S, schedule_source=source)
)
scheduler = TaskiqScheduler(broker, [source])
TASKS = {kind: broker.task(task_name=kind, retry_on_error=True)(body) for kind, body in ASYNC_BODIES.items()}


@asynccontextmanager
async def session() -> AsyncIterator[None]:
    await broker.startup()
    await source.startup()
    yield
    await source.shutdown()
    await broker.shutdown()


async def push(kind: str, n: int, arg: int) -> None:
    await TASKS[kind].kiq(n, arg)


async def push_at(kind: str, n: int, arg: int, due: float) -> None:
    await TASKS[kind].schedule_by_time(source, datetime.fromtimestamp(due, UTC), n, arg)
