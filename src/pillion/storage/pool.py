"""ThreadPool: the connections of all threads, at most so many, and a wait for one that is in use.

Design record. redis-py's blocking pool takes 8 µs for each op, a tenth of a push: it counts for telemetry,
and takes several locks. Here, an idle connection is taken off a list, which is one atomic step, and only
who finds none takes a lock. The rest is as there:

- The one that came back last goes out first, so no more are opened than are used at a time.
- One that the server has closed meanwhile, or with something left to read, is opened anew before it is lent.
- Nobody gets a connection within `timeout` seconds: redis-py's ConnectionError "No connection available."
- A child after a fork has connections of its own; those of its parent are left to the parent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import redis

# redis-py's connections are untyped in the parts used here; these aliases keep the Any in one place.
Connection = Any
ConnectionClass = Any

POOL_EMPTY: Final = "No connection available."  # the words by which `errors_map` knows it


class _Stock:
    """The connections of one process. `idle` is changed without the lock, `made` only with it."""

    __slots__ = ("changed", "idle", "made", "waiting")

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.made: list[Connection] = []
        self.waiting = 0
        self.changed = threading.Condition()


class ThreadPool:
    """Up to `size` connections, made by `connection_class(**connection_kwargs)`. Safe to use from many threads."""

    def __init__(
        self, connection_class: ConnectionClass, connection_kwargs: Mapping[str, Any], *, size: int, timeout_s: float
    ) -> None:
        self.connection_class = connection_class
        self.connection_kwargs = dict(connection_kwargs)
        self.timeout_s = timeout_s
        self._size = size
        self._stocks = {os.getpid(): _Stock()}

    def acquire(self) -> Connection:
        """A connection that is ready to send. Raises redis-py's errors if none is free or it cannot be opened."""
        stock = self._stocks.get(os.getpid()) or self._after_fork()
        try:
            connection = stock.idle.pop()
        except IndexError:
            connection = self._wait(stock)
        try:
            _make_ready(connection)
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Take back what `acquire` gave. A connection of the parent, after a fork, is closed on this side only."""
        stock = self._stocks.get(connection.pid)
        if stock is None or connection.pid != os.getpid():
            connection.disconnect()
            return
        stock.idle.append(connection)
        # Who waits has said so before looking for an idle one in vain: so either that look finds this one,
        # or `waiting` is seen here.
        if stock.waiting:
            with stock.changed:
                stock.changed.notify()

    def disconnect(self) -> None:
        """Close all connections, also those that are in use."""
        stock = self._stocks.get(os.getpid()) or self._after_fork()
        for connection in list(stock.made):
            connection.disconnect()

    def _wait(self, stock: _Stock) -> Connection:
        """A connection that was not idle at first sight: given back meanwhile, or new."""
        give_up_at = monotonic() + self.timeout_s
        with stock.changed:
            stock.waiting += 1
            try:
                while True:
                    if stock.idle:
                        try:
                            return stock.idle.pop()
                        except IndexError:  # somebody was faster, without the lock
                            continue
                    if len(stock.made) < self._size:
                        connection = self.connection_class(**self.connection_kwargs)
                        stock.made.append(connection)
                        return connection
                    if not stock.changed.wait(give_up_at - monotonic()) and not stock.idle:
                        raise redis.ConnectionError(POOL_EMPTY)
            finally:
                stock.waiting -= 1

    def _after_fork(self) -> _Stock:
        pid = os.getpid()
        stock = self._stocks.setdefault(pid, _Stock())  # one step, should two threads come here at once
        for other in [known for known in self._stocks if known != pid]:
            self._stocks.pop(other, None)
        return stock


def _make_ready(connection: Connection) -> None:
    if connection._sock is None:
        connection.connect()
        return
    try:
        if not connection.can_read():
            return
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        pass
    # Closed by the server, or with something left to read.
    connection.disconnect()
    connection.connect()
