"""huey: threads, no results, blocking reads. It removes a job before it runs (it has no other way)."""

from __future__ import annotations

from datetime import datetime

from huey import RedisHuey

from bench.peers.work import BODIES, REDIS_URL, RETRY_S

huey = RedisHuey("bench", url=REDIS_URL, results=False)
TASKS = {kind: huey.task(name=kind, retries=3, retry_delay=RETRY_S)(body) for kind, body in BODIES.items()}


def push(kind: str, n: int, arg: int) -> None:
    TASKS[kind](n, arg)


def push_at(kind: str, n: int, arg: int, due: float) -> None:
    TASKS[kind].schedule((n, arg), eta=datetime.fromtimestamp(due))  # noqa: DTZ006  local time is what it takes
