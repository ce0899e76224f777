"""AsyncStorage: runs ops against Redis from asyncio, without ever blocking the event loop.

Design record. redis-py's asyncio connections belong to the event loop they were made in, and a program
may run several loops, one after the other (`asyncio.run` in tests and scripts) or in several threads.
So there is a pool for each loop. A pool must be emptied in its own loop, before the loop ends; asyncio
closes the asynchronous generators of a loop at just that moment, so a generator keeps each pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis
from redis import asyncio as redis_asyncio

from pillion.errors import RedisError
from pillion.storage import errors_map
from pillion.storage.aio_pool import TaskPool
from pillion.storage.aio_wiring import AsyncLentPool
from pillion.storage.attempt import Attempt
from pillion.storage.exchange import Command, Exchange, Transaction
from pillion.storage.ops.base import Op
from pillion.storage.wiring import Connection, forget_subscribers, pack

T = TypeVar("T")


class _Keeper:
    """The pool of one event loop, closed when that loop ends."""

    def __init__(self, pool: TaskPool) -> None:
        self.pool = pool
        self._generator = self._keep()

    async def start(self) -> None:
        """Make this known to the running loop."""
        await anext(self._generator)

    async def stop(self) -> None:
        """Close the pool's connections."""
        await self._generator.aclose()

    async def _keep(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.pool.disconnect()


class AsyncStorage:
    """The twin of `sync.Storage` for asyncio: the same methods, to be awaited, and the same errors.

    Made by `connect.open_async_storage`. One may be shared by all tasks, and by several event loops.
    `make_pool` makes the pool of one loop; `leave` is called once, by `close`.
    """

    def __init__(
        self,
        make_pool: Callable[[], TaskPool],
        description: str,
        leave: Callable[[], None] | None = None,
    ) -> None:
        self._make_pool = make_pool
        self.description = description
        self._leave = leave
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Keeper] = WeakKeyDictionary()
        self._closed = False

    async def run(self, op: Op[T]) -> T:
        """Carry out one op; return its parsed reply."""
        result: T = (await self._settle(Attempt((op,))))[0]
        return result

    async def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out `ops` in one round trip, without MULTI; return the parsed replies in order.

        One that fails does not stop the others: all have been sent when the first error is raised.
        """
        return await self._settle(Attempt(ops)) if ops else []

    async def transaction(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out `ops` between MULTI and EXEC in one round trip; return the parsed replies in order."""
        return await self._settle(Transaction(ops)) if ops else []

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[redis_asyncio.Redis]:
        """A redis-py asyncio client on one connection of the pool, for as long as the block lasts.

        Replies are bytes. Errors inside the block are redis-py's own. Raises RedisUnavailable if no
        connection is free.
        """
        pool = await self._pool()
        try:
            connection = await pool.acquire()
        except redis.RedisError as error:
            raise self.explain(error) from error
        lent = AsyncLentPool(pool, connection)
        try:
            yield redis_asyncio.Redis(connection_pool=lent)
            if lent.is_in_use():
                await connection.disconnect()
        except BaseException:
            await connection.disconnect(nowait=True)  # it may be in the middle of something
            raise
        finally:
            forget_subscribers(connection)
            pool.release(connection)

    def explain(self, error: BaseException) -> BaseException:
        """Pillion's error for one of redis-py's."""
        return errors_map.explain(error, self.description)

    async def close(self) -> None:
        """Close this loop's connections, and the storage for all loops. Idempotent.

        The last one to leave an embedded server stops it. Other loops close theirs when they end.
        """
        if self._closed:
            return
        self._closed = True
        keeper = self._keepers.pop(asyncio.get_running_loop(), None)
        if keeper is not None:
            await keeper.stop()
        if self._leave is not None:
            await asyncio.to_thread(self._leave)

    def __repr__(self) -> str:
        return f"<AsyncStorage {self.description}>"

    # -- one exchange ------------------------------------------------------------------------------

    async def _pool(self) -> TaskPool:
        if self._closed:
            raise RedisError(f"This storage ({self.description}) has been closed. Open another one.")
        loop = asyncio.get_running_loop()
        keeper = self._keepers.get(loop)
        if keeper is None:
            keeper = self._keepers[loop] = _Keeper(self._make_pool())
            await keeper.start()
        return keeper.pool

    async def _settle(self, exchange: Exchange) -> list[Any]:
        # redis-py connects and sends inside `asyncio.wait_for`, and that of Python 3.11 forgets a cancellation that
        # comes in the turn of its end.
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        results = await self._go_through(exchange)
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
        return results

    async def _go_through(self, exchange: Exchange) -> list[Any]:
        while exchange.unsettled:
            replies: list[Any] = []
            try:
                await self._send_and_read(exchange, replies)
            except redis.RedisError as error:
                self._give_up_or_go_on(exchange, replies, error)
        return exchange.results(self.explain)

    def _give_up_or_go_on(self, exchange: Exchange, replies: list[Any], error: redis.RedisError) -> None:
        try:
            exchange.broke(replies, error)
        except redis.RedisError:
            raise self.explain(error) from error

    async def _send_and_read(self, exchange: Exchange, replies: list[Any]) -> None:
        pool = await self._pool()
        commands = exchange.commands()
        connection: Connection = await pool.acquire()
        try:
            await _round_trip(connection, commands, replies)
            if exchange.settle(replies):
                await connection.disconnect()
        except BaseException:
            # Replies may be left unread on it, also when the task was cancelled.
            await connection.disconnect(nowait=True)
            raise
        finally:
            pool.release(connection)


async def _round_trip(connection: Connection, commands: Sequence[Command], replies: list[Any]) -> None:
    """Send all at once; append each reply to `replies`, an error reply as a value."""
    await connection.send_packed_command(pack(commands), check_health=False)
    for _ in commands:
        try:
            replies.append(await connection.read_response())
        except redis.ResponseError as error:
            replies.append(error)
