"""ThreadPool: the connections of all threads, at most so many, and a wait for one that is in use.

Design record. redis-py's blocking pool takes 8 µs for each op, a tenth of a push: it counts for telemetry,
and takes several locks. Here, an idle connection is taken off a list, which is one atomic step, and only
who finds none takes a lock. The rest is as there, but for the third and the fourth:

- The one that came back last goes out first, so no more are opened than are used at a time.
- One that the server has closed meanwhile, or with something left to read, is opened anew before it is lent.
- Who waits longest is served first, and nobody overtakes. In redis-py's pool, a thread that gives a connection
  back and takes one at once always wins: of 50 that push without a pause over 5 connections, 45 got none.
- One whose greeting was cut short, by a Shutdown or a cancelled task, is closed: the replies are still to come.
- Nobody gets a connection within `timeout_s` seconds: redis-py's ConnectionError "No connection available."
- A child after a fork has connections of its own; those of its parent are left to the parent.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import redis

# redis-py's connections are untyped in the parts used here; these aliases keep the Any in one place.
Connection = Any
ConnectionClass = Any

POOL_EMPTY: Final = "No connection available."  # the words by which `errors_map` knows it


class _Waiter:
    """A thread in the queue for a connection, and what it was given."""

    __slots__ = ("connection", "served")

    def __init__(self) -> None:
        self.connection: Connection = None
        self.served = threading.Event()


class _Stock:
    """The connections of one process. `idle` is changed without the lock, `made` and `waiters` only with it."""

    __slots__ = ("idle", "lock", "made", "waiters")

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.made: list[Connection] = []
        self.waiters: deque[_Waiter] = deque()
        self.lock = threading.Lock()

    def serve(self) -> None:
        """Give what is idle to those who wait, in their order."""
        with self.lock:
            while self.waiters:
                try:
                    connection = self.idle.pop()
                except IndexError:
                    return
                waiter = self.waiters.popleft()
                waiter.connection = connection
                waiter.served.set()


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
            connection = stock.idle.pop() if not stock.waiters else self._new_or_given(stock)
        except IndexError:
            connection = self._new_or_given(stock)
        try:
            _make_ready(connection)
        except BaseException:
            connection.disconnect()  # it may be in the middle of its greeting
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
        # or `waiters` is seen here.
        if stock.waiters:
            stock.serve()

    def disconnect(self) -> None:
        """Close all connections, also those that are in use."""
        stock = self._stocks.get(os.getpid()) or self._after_fork()
        for connection in list(stock.made):
            connection.disconnect()

    def _new_or_given(self, stock: _Stock) -> Connection:
        """A connection where none was idle at first sight: a new one, or one that is given back."""
        waiter = _Waiter()
        try:
            with stock.lock:
                connection = self._at_once(stock)
                if connection is not None:
                    return connection
                stock.waiters.append(waiter)
            stock.serve()  # one may have come back just before
            if waiter.served.wait(self.timeout_s) or _leave_queue(stock, waiter):
                return waiter.connection
        except BaseException:  # a Shutdown
            if _leave_queue(stock, waiter):
                self.release(waiter.connection)
            raise
        raise redis.ConnectionError(POOL_EMPTY)

    def _at_once(self, stock: _Stock) -> Connection | None:
        """Called with the lock. While anybody waits, all places are taken, and what comes back is not for us."""
        if not stock.waiters:
            try:
                return stock.idle.pop()
            except IndexError:
                pass
        if len(stock.made) >= self._size:
            return None
        connection = self.connection_class(**self.connection_kwargs)
        stock.made.append(connection)
        return connection

    def _after_fork(self) -> _Stock:
        pid = os.getpid()
        stock = self._stocks.setdefault(pid, _Stock())  # one step, should two threads come here at once
        for known in tuple(self._stocks):  # one step as well
            if known != pid:
                self._stocks.pop(known, None)
        return stock


def _leave_queue(stock: _Stock, waiter: _Waiter) -> bool:
    """Wait no longer. True: it has been given a connection."""
    with stock.lock:
        if waiter in stock.waiters:
            stock.waiters.remove(waiter)
        return waiter.connection is not None


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
