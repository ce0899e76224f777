"""A capsule says how many of its threads take jobs: one of async jobs has one, whatever its concurrency."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import redis
from engine import Engine, payload, until

from pillion.server import fetcher as fetching
from pillion.server.prefetch import Pace
from pillion.storage.sync import Storage


class Witness(Pace):
    """Notes for how many threads it was asked."""

    __slots__ = ()
    takers: set[int]

    def low(self, *, threads: int, takers: int) -> int:
        self.takers.add(takers)
        return super().low(threads=threads, takers=takers)


@pytest.fixture
def takers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    Witness.takers = set()
    monkeypatch.setattr(fetching, "Pace", Witness)
    return Witness.takers


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage)
    yield engine
    engine.stop(0.0)


def test_async_jobs_are_taken_by_one_thread(engine: Engine, raw: redis.Redis, takers: set[int]) -> None:
    async def nothing() -> None: ...

    engine.job("Nothing", nothing, is_async=True)
    raw.lpush("queue:default", *[payload("Nothing")] * 50)
    engine.start()
    until(lambda: raw.get("stat:processed") == b"50")
    assert takers == {1}


def test_sync_jobs_are_taken_by_as_many_threads_as_run_them(engine: Engine, raw: redis.Redis, takers: set[int]) -> None:
    together = threading.Barrier(5)
    engine.job("Meet", lambda: together.wait(20))
    raw.lpush("queue:default", *[payload("Meet")] * 50)
    engine.start()
    until(lambda: raw.get("stat:processed") == b"50")
    assert max(takers) == 5
