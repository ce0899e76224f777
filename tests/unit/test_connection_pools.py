"""The pools of connections, with connections that are none (behaviour 1.7, F022)."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any

import pytest
import redis

from pillion.errors import Shutdown
from pillion.storage.aio_pool import TaskPool
from pillion.storage.pool import ThreadPool
from pillion.storage.wiring import pack


class FakeConnection:
    """As much of redis-py's Connection as the pools use. `stale` is what `can_read` answers or raises."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.pid = os.getpid()
        self._sock: object = None
        self.stale: bool | Exception = False
        self.connects = 0

    @property
    def is_open(self) -> bool:
        return self._sock is not None

    def connect(self) -> None:
        if self.is_open:
            return
        if self.options.get("down"):
            raise redis.ConnectionError("nobody there")
        self.connects += 1
        self._sock = object()
        if self.options.get("interrupted") and self.connects == 1:
            raise Shutdown  # in the middle of the greeting

    def disconnect(self) -> None:
        self._sock = None
        self.stale = False

    def can_read(self) -> bool:
        if isinstance(self.stale, Exception):
            raise self.stale
        return self.stale


class FakeAsyncConnection:
    """The same for asyncio: a FakeConnection behind coroutines."""

    def __init__(self, **options: Any) -> None:
        self.fake = FakeConnection(**options)

    @property
    def is_connected(self) -> bool:
        return self.fake.is_open

    async def connect(self) -> None:
        self.fake.connect()

    async def disconnect(self, nowait: bool = False) -> None:
        if error := self.fake.options.get("will_not_close"):
            raise error
        if not nowait:
            await asyncio.sleep(0.01)
        self.fake.disconnect()

    async def can_read(self) -> bool:
        return self.fake.can_read()


class OlderAsyncConnection(FakeAsyncConnection):
    """As before redis-py 8."""

    can_read = None  # type: ignore[assignment]

    async def can_read_destructive(self) -> bool:
        return self.fake.can_read()


def threads(size: int = 2, timeout_s: float = 0.05, **options: Any) -> Any:
    return ThreadPool(FakeConnection, options, size=size, timeout_s=timeout_s)


def tasks(size: int = 2, timeout_s: float = 0.05, kind: type = FakeAsyncConnection, **options: Any) -> Any:
    return TaskPool(kind, options, size=size, timeout_s=timeout_s)


# -- threads -------------------------------------------------------------------------------------------


def test_the_connection_that_came_back_last_goes_out_first():
    pool = threads(size=3)
    first, second = pool.acquire(), pool.acquire()
    assert first is not second
    pool.release(first)
    pool.release(second)
    assert pool.acquire() is second
    assert pool.acquire() is first
    assert (first.connects, second.connects) == (1, 1)


@pytest.mark.parametrize("stale", [True, redis.ConnectionError("closed"), redis.TimeoutError("late"), OSError("bad")])
def test_a_stale_connection_is_opened_anew_before_it_is_lent(stale: bool | Exception):
    pool = threads()
    connection = pool.acquire()
    pool.release(connection)
    connection.stale = stale
    assert pool.acquire() is connection
    assert connection.connects == 2


def test_no_more_than_size_and_then_an_error_after_the_timeout():
    pool = threads(size=2)
    taken = [pool.acquire(), pool.acquire()]
    began = time.monotonic()
    with pytest.raises(redis.ConnectionError, match=r"^No connection available\."):
        pool.acquire()
    assert time.monotonic() - began >= 0.05
    pool.release(taken[0])
    assert pool.acquire() is taken[0]


def test_a_connection_that_cannot_be_opened_does_not_use_up_a_place():
    pool = threads(size=1, down=True)
    for _ in range(3):
        with pytest.raises(redis.ConnectionError, match="nobody there"):
            pool.acquire()


def test_who_waits_gets_what_is_given_back():
    pool = threads(size=1, timeout_s=30)
    taken = pool.acquire()
    got: list[Any] = []
    waiter = threading.Thread(target=lambda: got.append(pool.acquire()))
    waiter.start()
    until_somebody_waits(pool)
    pool.release(taken)
    waiter.join(10)
    assert got == [taken]


def until_somebody_waits(pool: Any, count: int = 1) -> None:
    while len(pool._stocks[os.getpid()].waiters) < count:
        time.sleep(0.001)  # nothing tells that a thread has begun to wait


def test_who_gives_a_connection_back_does_not_overtake_those_who_wait():
    pool = threads(size=1, timeout_s=30)
    taken = pool.acquire()
    served: list[str] = []

    def work(name: str) -> None:
        connection = pool.acquire()
        served.append(name)
        pool.release(connection)

    waiters = [threading.Thread(target=work, args=(name,)) for name in ("first", "second")]
    for count, waiter in enumerate(waiters, 1):
        waiter.start()
        until_somebody_waits(pool, count)
    pool.release(taken)
    work("who gave it back")
    for waiter in waiters:
        waiter.join(10)
    assert served == ["first", "second", "who gave it back"]


def test_a_shutdown_of_one_who_waits_leaves_nobody_in_the_queue_and_loses_no_connection(
    monkeypatch: pytest.MonkeyPatch,
):
    pool = threads(size=1, timeout_s=30)
    taken = pool.acquire()

    def interrupted_too_late(event: threading.Event, timeout: float | None = None) -> bool:
        pool.release(taken)  # it has been given to the waiter
        raise Shutdown

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        raise Shutdown

    for wait in (interrupted, interrupted_too_late):
        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", wait)
            with pytest.raises(Shutdown):
                pool.acquire()
        assert not pool._stocks[os.getpid()].waiters
    assert pool.acquire() is taken


def test_one_that_comes_back_just_before_somebody_waits_is_not_overlooked(monkeypatch: pytest.MonkeyPatch):
    pool = threads(size=1, timeout_s=0.05)
    taken = pool.acquire()
    monkeypatch.setattr(pool, "_at_once", lambda stock: pool.release(taken))  # nothing there, but now
    assert pool.acquire() is taken


def test_one_that_is_given_at_the_last_moment_is_taken(monkeypatch: pytest.MonkeyPatch):
    pool = threads(size=1, timeout_s=30)
    taken = pool.acquire()

    def too_late(event: threading.Event, timeout: float | None = None) -> bool:
        pool.release(taken)
        return False

    monkeypatch.setattr(threading.Event, "wait", too_late)
    assert pool.acquire() is taken


def test_a_connection_whose_greeting_was_cut_short_is_not_lent_as_it_is():
    pool = threads(size=1, interrupted=True)
    with pytest.raises(Shutdown):
        pool.acquire()
    assert pool.acquire().connects == 2


def test_many_threads_never_share_a_connection_and_none_is_forgotten():
    pool = threads(size=3, timeout_s=30)
    in_use: set[int] = set()
    faults: list[object] = []

    def work() -> None:
        for _ in range(300):
            connection = pool.acquire()
            if id(connection) in in_use:
                faults.append(connection)
            in_use.add(id(connection))
            os.sched_yield()
            in_use.discard(id(connection))
            pool.release(connection)

    workers = [threading.Thread(target=work) for _ in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    assert faults == []
    stock = pool._stocks[os.getpid()]
    assert len(stock.made) == len(stock.idle) <= 3
    assert not stock.waiters


def test_disconnect_closes_those_in_use_as_well():
    pool = threads()
    taken, idle = pool.acquire(), pool.acquire()
    pool.release(idle)
    pool.disconnect()
    assert not taken.is_open
    assert not idle.is_open


def test_a_child_after_a_fork_has_places_of_its_own_and_closes_what_it_gives_back_of_its_parents(
    monkeypatch: pytest.MonkeyPatch,
):
    pool = threads(size=2)
    parents, parents_too = pool.acquire(), pool.acquire()
    monkeypatch.setattr(os, "getpid", lambda: parents.pid + 1)
    pool.release(parents)
    assert not parents.is_open
    own = pool.acquire()
    assert own not in (parents, parents_too)
    assert list(pool._stocks) == [os.getpid()]  # nothing holds the sockets of the parent any more
    pool.release(parents_too)
    assert not parents_too.is_open
    pool.release(own)
    assert pool.acquire() is own


# -- tasks ---------------------------------------------------------------------------------------------


def test_tasks_take_turns_with_the_connections_there_are():
    async def work() -> None:
        pool = tasks(size=3, timeout_s=30)
        seen: set[int] = set()
        in_use: set[int] = set()

        async def one() -> None:
            connection = await pool.acquire()
            assert id(connection) not in in_use
            in_use.add(id(connection))
            seen.add(id(connection))
            await asyncio.sleep(0)
            in_use.discard(id(connection))
            pool.release(connection)

        await asyncio.gather(*(one() for _ in range(100)))
        assert len(seen) <= 3

    asyncio.run(work())


def test_a_task_that_gets_none_in_time_is_told_so_and_one_that_was_cancelled_takes_none():
    async def work() -> None:
        pool = tasks(size=1)
        taken = await pool.acquire()
        with pytest.raises(redis.ConnectionError, match=r"^No connection available\."):
            await pool.acquire()
        waiting = asyncio.create_task(pool.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        pool.release(taken)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await pool.acquire() is taken

    asyncio.run(work())


@pytest.mark.parametrize("kind", [FakeAsyncConnection, OlderAsyncConnection])
@pytest.mark.parametrize("stale", [True, redis.ConnectionError("closed"), OSError("Buffer is closed.")])
def test_a_stale_connection_of_tasks_is_opened_anew(kind: type, stale: bool | Exception):
    async def work() -> None:
        pool = tasks(kind=kind)
        connection = await pool.acquire()
        pool.release(connection)
        connection.fake.stale = stale
        assert await pool.acquire() is connection
        assert connection.fake.connects == 2

    asyncio.run(work())


def test_a_connection_of_tasks_that_cannot_be_opened_does_not_use_up_a_place():
    async def work() -> None:
        pool = tasks(size=1, down=True)
        for _ in range(3):
            with pytest.raises(redis.ConnectionError, match="nobody there"):
                await pool.acquire()

    asyncio.run(work())


def test_a_connection_of_tasks_whose_greeting_was_cut_short_is_not_lent_as_it_is():
    async def work() -> None:
        pool = tasks(size=1, interrupted=True)
        with pytest.raises(Shutdown):
            await pool.acquire()
        assert (await pool.acquire()).fake.connects == 2

    asyncio.run(work())


def test_one_that_cannot_be_closed_does_not_keep_the_others_open():
    async def work() -> None:
        pool = tasks(size=2, will_not_close=redis.TimeoutError("Timed out closing connection"))
        taken = [await pool.acquire(), await pool.acquire()]
        del taken[1].fake.options["will_not_close"]
        with pytest.raises(redis.TimeoutError, match="Timed out closing"):
            await pool.disconnect()
        assert not taken[1].fake.is_open

    asyncio.run(work())


# -- what goes over a connection -------------------------------------------------------------------------


def test_commands_are_packed_as_redis_py_packs_them():
    commands = [
        ("SADD", "queues", "größe"),
        ("LPUSH", "queue:größe", b"\x00\xff", "", 7, -1, 1763794000.123, 1e300),
        ("EXPIRE", b"key", 10**18),
    ]
    connection: Any = redis.Connection()
    assert b"".join(pack(commands)) == b"".join(connection.pack_commands(commands))


def test_short_commands_go_out_in_one_piece_and_long_ones_are_not_copied():
    assert len(pack([("SADD", "queues", "a"), ("LPUSH", "queue:a", "x")])) == 1
    assert len(pack([("SADD", "queues", "a"), ("LPUSH", "queue:a", "x" * 70_000)])) == 2


def test_many_short_commands_go_out_in_few_pieces_however_many_there_are():
    commands = [("SET", f"key:{number}", "x" * 40) for number in range(10_000)]
    commands[5_000] = ("SET", "key:long", "x" * 70_000)
    pieces = pack(commands)
    assert len(pieces) < 20
    assert b"".join(pieces) == b"".join(pack([command])[0] for command in commands)
    assert max(map(len, pieces)) < 70_100  # the long one has its piece for itself


def test_what_cannot_be_packed_is_an_error_of_redis_py_as_before():
    commands: Any = [("SET", "key", None)]
    with pytest.raises(redis.DataError):
        pack(commands)
