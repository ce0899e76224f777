"""How a Target becomes asyncio connections of redis-py: the twin of wiring.py, see there for why.

What both share (options, the check of a master's role) is imported from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio import sentinel
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from pillion.config import RedisConfig
from pillion.errors import PillionError
from pillion.storage.aio_pool import TaskPool
from pillion.storage.embedded import Lease
from pillion.storage.target import Node, Target
from pillion.storage.wiring import (
    GONE,
    Connection,
    Options,
    addresses,
    check_master,
    common_options,
    no_master,
    sentinel_options,
)

_make_sentinel: Any = sentinel.Sentinel


class AsyncEmbeddedConnection(redis_asyncio.UnixDomainSocketConnection):
    """A connection to the embedded server that starts it where it is gone, without blocking the loop."""

    def __init__(self, *, lease: Lease, **options: Any) -> None:
        self._lease = lease
        super().__init__(**options)  # pyright: ignore[reportUnknownMemberType]

    async def connect(self) -> None:
        """Connect and greet. A server that dies just then is started again: nothing has been sent yet."""
        connect: Callable[[], Awaitable[None]] = super().connect
        try:
            await connect()
        except redis.ConnectionError as error:
            if isinstance(error.__cause__, PillionError):
                raise  # ours, wrapped: the server cannot be started
            await asyncio.to_thread(self._lease.revive)
            await connect()

    async def _connect(self) -> None:
        connect: Callable[[], Awaitable[None]] = super()._connect
        if not self._lease.holds:
            await asyncio.to_thread(self._lease.hold)
        try:
            await connect()
        except GONE:
            await asyncio.to_thread(self._lease.revive)
            await connect()


class _FindsMaster:
    """Mixed into a TCP connection: asks the Sentinels where the master is before each connect."""

    def __init__(self, *, find_master: Callable[[], Awaitable[Node]], **options: Any) -> None:
        self._find_master = find_master
        super().__init__(**options)

    async def _connect(self) -> None:
        self.host, self.port = await self._find_master()
        connection: Any = super()  # the connection class beside, whose `_connect` goes to host and port
        await connection._connect()


class AsyncSentinelConnection(_FindsMaster, redis_asyncio.Connection):
    """A connection to the master of the moment."""


class AsyncSentinelTLSConnection(_FindsMaster, redis_asyncio.SSLConnection):
    """The same over TLS."""


class AsyncLentPool(BlockingConnectionPool):
    """A pool of one connection, lent by another pool."""

    def __init__(self, lender: TaskPool, connection: Connection) -> None:
        self._lent = connection
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            max_connections=1,
            timeout=lender.timeout_s,
            connection_class=lender.connection_class,
            **lender.connection_kwargs,
        )

    def make_connection(self) -> Connection:
        """The lent connection."""
        return self._lent

    def is_in_use(self) -> bool:
        """Whether something still holds it, such as a PubSub that was not closed."""
        untyped: Any = self
        return bool(untyped._in_use_connections)


def make_async_pool(target: Target, config: RedisConfig, lease: Lease | None) -> TaskPool:
    """The pool for `target`, for one event loop. Nothing is connected yet."""
    connection_class, options = _recipe(target, config, lease)
    return TaskPool(connection_class, options, size=config.pool_size, timeout_s=config.pool_timeout_s)


def _recipe(target: Target, config: RedisConfig, lease: Lease | None) -> tuple[type[Any], Options]:
    options = common_options(target, config) | {"retry": Retry(NoBackoff(), 0)}
    if target.kind == "unix":
        return redis_asyncio.UnixDomainSocketConnection, options | {"path": target.path}
    if target.kind == "embedded":
        return AsyncEmbeddedConnection, options | {"path": target.path, "lease": lease}
    if target.kind == "sentinel":
        options |= {"find_master": _MasterFinder(target, config), "redis_connect_func": _greet_master}
        return AsyncSentinelTLSConnection if target.tls else AsyncSentinelConnection, options
    return redis_asyncio.SSLConnection if target.tls else redis_asyncio.Connection, options


class _MasterFinder:
    """Asks the Sentinels where the master is."""

    def __init__(self, target: Target, config: RedisConfig) -> None:
        self._target = target
        self._nodes = target.nodes  # the one that answered last comes first
        self._options = sentinel_options(target, config) | {"retry": Retry(NoBackoff(), 0)}

    async def __call__(self) -> Node:
        watchers = _make_sentinel(self._nodes, sentinel_kwargs=self._options)
        try:
            host, port = await watchers.discover_master(self._target.master_name)
            self._nodes = addresses(watchers)
            return str(host), int(port)
        except redis.ConnectionError as error:
            failure = no_master(error, self._target)
        finally:
            for watcher in watchers.sentinels:
                await watcher.aclose()
        raise failure  # see wiring._MasterFinder


async def _greet_master(connection: Connection) -> None:
    await connection.on_connect()
    await connection.send_command("ROLE", check_health=False)
    check_master(connection, await connection.read_response())
