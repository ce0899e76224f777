"""Async jobs that wait until a test lets them go."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import redis
from engine import until


class Gate:
    """Where async jobs wait until the test lets them go. It counts who is in."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.threads: set[str] = set()
        self._open = threading.Event()

    async def wait(self, *_: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.threads.add(threading.current_thread().name)
        try:
            while not self._open.is_set():  # noqa: ASYNC110 - it is another thread that opens it
                await asyncio.sleep(0.005)
        finally:
            self.inside -= 1

    def open(self) -> None:
        self._open.set()


def processed(raw: redis.Redis, count: int) -> None:
    until(lambda: raw.get("stat:processed") == b"%d" % count, f"{count} processed")
