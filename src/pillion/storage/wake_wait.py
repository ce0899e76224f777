"""WakeWait: sleep until a time, a token in a Redis list, or a call from another thread, whichever is first.

Design record. One `BLPOP` stays armed on a connection of its own and is renewed about twice a minute,
while this side selects on the socket for as long as the caller wants. So the wait is exact to the
millisecond by our own monotonic clock, whatever happens to the wall clock or how busy Redis is; a
waiting process sends next to nothing; and stopping it needs no help from Redis.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable

import redis

from pillion.storage.link import RawConnection

_ARMED_S = 30.0
_REPLY_MARGIN_S = 5.0


class WakeWait:
    """Waits on the list `key`. Used by one thread at a time, except for `wake`.

    `connect` makes an unconnected redis-py Connection, `explain` turns a redis-py error into ours.
    """

    def __init__(
        self, connect: Callable[[], RawConnection], explain: Callable[[BaseException], BaseException], key: str
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._key = key
        self._connection: RawConnection = None
        self._armed_until: float | None = None
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.settimeout(0)
        self._wake_writer.settimeout(0)

    def wait(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s`. True if a token came. Raises RedisUnavailable (or what Redis answered)."""
        try:
            self._arm()
            return self._select(timeout_s)
        except (redis.RedisError, OSError) as exc:
            self.drop()
            raise self._explain(exc) from exc

    def wake(self) -> None:
        """Make the current `wait`, or else the next one, return. From any thread, also after `close`."""
        with contextlib.suppress(OSError):  # full of wake-ups already, or closed
            self._wake_writer.send(b"!")

    def drop(self) -> None:
        """Close the connection; the next wait opens a new one."""
        self._armed_until = None
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def close(self) -> None:
        """Close everything for good."""
        self.drop()
        self._wake_reader.close()
        self._wake_writer.close()

    def _arm(self) -> None:
        if self._armed_until is not None:
            return
        if self._connection is None:
            self._connection = self._connect()
            self._connection.connect()
        self._connection.send_command("BLPOP", self._key, _ARMED_S, check_health=False)
        self._armed_until = time.monotonic() + _ARMED_S + _REPLY_MARGIN_S

    def _select(self, timeout_s: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_reader, selectors.EVENT_READ)
            # redis-py has no public way to select on a connection.
            redis_key = selector.register(self._connection._sock, selectors.EVENT_READ)
            ready = {key for key, _ in selector.select(max(0.0, timeout_s))}
        if redis_key in ready:
            return self._read()
        if ready:
            self._drain_wakeups()
        elif self._armed_until is not None and time.monotonic() > self._armed_until:
            raise redis.TimeoutError("no answer to a blocking pop")
        return False

    def _read(self) -> bool:
        self._armed_until = None
        try:
            return self._connection.read_response() is not None
        except redis.ResponseError as exc:
            # UNBLOCKED: the server turned replica or is failing over. Anything else is for the caller.
            if "UNBLOCKED" in str(exc):
                return False
            raise

    def _drain_wakeups(self) -> None:
        try:
            while self._wake_reader.recv(64):
                pass
        except BlockingIOError:
            pass
