"""rq: a pool of workers, each forks a process for every job (its default); no results are kept."""

from __future__ import annotations

from datetime import UTC, datetime

from redis import Redis
from rq import Queue, Retry

from bench.peers.work import BODIES, REDIS_URL, RETRY_S

queue = Queue("default", connection=Redis.from_url(REDIS_URL))
RETRIES = {"fail_once": Retry(max=3, interval=RETRY_S)}


def push(kind: str, n: int, arg: int) -> None:
    queue.enqueue(BODIES[kind], n, arg, result_ttl=0, retry=RETRIES.get(kind))


def push_many(kind: str, numbers: range, arg: int) -> None:
    prepare = Queue.prepare_data
    queue.enqueue_many([prepare(BODIES[kind], (n, arg), result_ttl=0, retry=RETRIES.get(kind)) for n in numbers])


def push_at(kind: str, n: int, arg: int, due: float) -> None:
    queue.enqueue_at(datetime.fromtimestamp(due, UTC), BODIES[kind], n, arg, result_ttl=0)
