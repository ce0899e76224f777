"""dramatiq: no result backend, its usual middleware without Prometheus. It acknowledges late, always."""

from __future__ import annotations

import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers.work import BODIES, REDIS_URL, RETRY_S

broker = RedisBroker(url=REDIS_URL)
dramatiq.set_broker(broker)
ACTORS = {
    kind: dramatiq.actor(body, broker=broker, max_retries=3, min_backoff=RETRY_S * 1000, max_backoff=RETRY_S * 1000)
    for kind, body in BODIES.items()
}


def push(kind: str, n: int, arg: int) -> None:
    ACTORS[kind].send(n, arg)


def push_at(kind: str, n: int, arg: int, due: float) -> None:
    ACTORS[kind].send_with_options(args=(n, arg), delay=max(0, int((due - time.time()) * 1000)))
