"""The bare loop: BRPOP in threads and a function call, nothing else. The floor of what Python and Redis cost.

It loses a job when it is killed, and everything else that makes a queue. `python -m bench.peers.bare_jobs` works.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from types import FrameType

import redis

from bench.peers.work import BODIES, CONCURRENCY, REDIS_URL

client = redis.Redis.from_url(REDIS_URL, max_connections=CONCURRENCY + 1)


def push(kind: str, n: int, arg: int) -> None:
    client.lpush("bare", json.dumps([kind, n, arg]))


def push_many(kind: str, numbers: range, arg: int) -> None:
    client.lpush("bare", *(json.dumps([kind, n, arg]) for n in numbers))


def work() -> None:
    """Take and run, forever."""
    while True:
        found = client.brpop(["bare"], timeout=2)
        if found:
            kind, n, arg = json.loads(found[1])
            BODIES[kind](n, arg)


def leave(number: int, frame: FrameType | None) -> None:
    """There is nothing to wait for."""
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, leave)
    for _ in range(CONCURRENCY):
        threading.Thread(target=work, daemon=True).start()
    signal.pause()
