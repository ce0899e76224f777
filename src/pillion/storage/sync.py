"""Storage: runs ops against Redis from threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import redis

from pillion.errors import RedisError
from pillion.storage import errors_map
from pillion.storage.attempt import Attempt
from pillion.storage.exchange import Command, Exchange, Transaction
from pillion.storage.ops.base import Op
from pillion.storage.pool import ThreadPool
from pillion.storage.wiring import Connection, LentPool, forget_subscribers, pack

T = TypeVar("T")


class Storage:
    """Runs ops on pooled connections. Safe to use from many threads, and in a child after a fork.

    Made by `connect.open_storage`. Every method that talks to Redis raises RedisUnavailable (cannot be
    reached, does not answer, no free connection), RedisRefused (will not write) or RedisError.

    `description` is "host:port/db" or the socket's path; `leave` is called once, by `close`.
    """

    def __init__(
        self,
        pool: ThreadPool,
        description: str,
        leave: Callable[[], None] | None = None,
    ) -> None:
        self._pool = pool
        self.description = description
        self._leave = leave
        self._closed = False

    # -- ops -----------------------------------------------------------------------------------

    def run(self, op: Op[T]) -> T:
        """Carry out one op; return its parsed reply."""
        result: T = self._settle(Attempt((op,)))[0]
        return result

    def run_all(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out `ops` in one round trip, without MULTI; return the parsed replies in order.

        One that fails does not stop the others: all have been sent when the first error is raised.
        """
        return self._settle(Attempt(ops)) if ops else []

    def transaction(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Carry out `ops` between MULTI and EXEC in one round trip; return the parsed replies in order."""
        return self._settle(Transaction(ops)) if ops else []

    # -- connections -----------------------------------------------------------------------------

    @contextmanager
    def connection(self) -> Generator[redis.Redis]:
        """A redis-py client on one connection of the pool, for as long as the block lasts.

        Replies are bytes. Blocking commands must block for less than timeout_s of the settings. Errors
        inside the block are redis-py's own. Raises RedisUnavailable if no connection is free (F022).
        """
        connection = self._borrow()
        lent = LentPool(self._pool, connection)
        try:
            yield redis.Redis(connection_pool=lent)
            if lent.is_in_use():
                connection.disconnect()
        except BaseException:
            connection.disconnect()  # it may be in the middle of something
            raise
        finally:
            forget_subscribers(connection)
            self._pool.release(connection)

    def link_connection(self) -> Connection:
        """A fresh redis-py Connection with the same settings, not connected, outside of the pool."""
        options = dict(self._pool.connection_kwargs)
        return self._pool.connection_class(**options)

    def explain(self, error: BaseException) -> BaseException:
        """Pillion's error for one of redis-py's."""
        return errors_map.explain(error, self.description)

    def close(self) -> None:
        """Close all connections. Idempotent. The last one to leave an embedded server stops it."""
        if self._closed:
            return
        self._closed = True
        self._pool.disconnect()
        if self._leave is not None:
            self._leave()

    def __repr__(self) -> str:
        return f"<Storage {self.description}>"

    # -- one exchange ------------------------------------------------------------------------------

    def _settle(self, exchange: Exchange) -> list[Any]:
        while exchange.unsettled:
            self._round(exchange)
        return exchange.results(self.explain)

    def _round(self, exchange: Exchange) -> None:
        replies: list[Any] = []
        try:
            self._send_and_read(exchange, replies)
        except redis.RedisError as error:
            try:
                exchange.broke(replies, error)
            except redis.RedisError:
                raise self.explain(error) from error
        except (AttributeError, TypeError):
            self._check_open()  # redis-py does not expect that `close`, in another thread, takes the socket away
            raise

    def _send_and_read(self, exchange: Exchange, replies: list[Any]) -> None:
        self._check_open()
        commands = exchange.commands()
        connection: Connection = self._pool.acquire()
        try:
            _round_trip(connection, commands, replies)
            if exchange.settle(replies):
                connection.disconnect()
        except BaseException:
            # Replies may be left unread on it, also when a Shutdown was raised in this thread.
            connection.disconnect()
            raise
        finally:
            self._pool.release(connection)

    def _borrow(self) -> Connection:
        self._check_open()
        try:
            return self._pool.acquire()
        except redis.RedisError as error:
            raise self.explain(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise RedisError(f"This storage ({self.description}) has been closed. Open another one.")


def _round_trip(connection: Connection, commands: Sequence[Command], replies: list[Any]) -> None:
    """Send all at once; append each reply to `replies`, an error reply as a value."""
    connection.send_packed_command(pack(commands), check_health=False)
    for _ in commands:
        try:
            replies.append(connection.read_response(disconnect_on_error=True))
        except redis.ResponseError as error:
            replies.append(error)
