"""TaskPool: the connections of the tasks of one event loop. The twin of `pool.ThreadPool`, see there for why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import redis

from pillion.storage.pool import POOL_EMPTY, Connection, ConnectionClass


class TaskPool:
    """Up to `size` connections, made by `connection_class(**connection_kwargs)`, for one event loop."""

    def __init__(
        self, connection_class: ConnectionClass, connection_kwargs: Mapping[str, Any], *, size: int, timeout_s: float
    ) -> None:
        self.connection_class = connection_class
        self.connection_kwargs = dict(connection_kwargs)
        self.timeout_s = timeout_s
        self._idle: list[Connection] = []
        self._made: list[Connection] = []
        self._free = asyncio.Semaphore(size)

    async def acquire(self) -> Connection:
        """A connection that is ready to send. Raises redis-py's errors if none is free or it cannot be opened."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()  # at once
        connection = self._idle.pop() if self._idle else self._new()
        try:
            await _make_ready_async(connection)
        except BaseException:
            try:
                await connection.disconnect(nowait=True)  # it may be in the middle of its greeting
            finally:
                self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Take back what `acquire` gave."""
        self._idle.append(connection)
        self._free.release()

    async def disconnect(self) -> None:
        """Close all connections, also those that are in use. Raises the first error when all have been tried."""
        closing = (connection.disconnect() for connection in self._made)
        for outcome in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise redis.ConnectionError(POOL_EMPTY) from error

    def _new(self) -> Connection:
        connection = self.connection_class(**self.connection_kwargs)
        self._made.append(connection)
        return connection


async def _make_ready_async(connection: Connection) -> None:
    if not connection.is_connected:
        await connection.connect()
        return
    try:
        if not await _has_something(connection):
            return
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        pass
    await connection.disconnect()
    await connection.connect()


async def _has_something(connection: Connection) -> bool:
    """Whether there is something to read, or the end. Before redis-py 8, the name of this says that it may read."""
    look = getattr(connection, "can_read", None) or connection.can_read_destructive
    return bool(await look())
