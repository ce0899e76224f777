"""What wakes a waiting process beside a job: a call from another thread, or word that a queue was paused.

Design record. Whoever pauses or unpauses a queue says so on a pub/sub channel, `ops.pause`. The message only
means "look at the set again": so it does no harm to get it twice, late or, as channels know no databases,
from another database of the same server, and a lost one is made good by looking every few seconds anyway.
Each new subscription, once it is confirmed, counts as a message: what was said before it was missed.

A process that is not subscribed (not allowed to, or not just now) looks each second, and trusts no job that
a blocking move has brought before it has looked: see `Alarm.unsure`.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import redis

from pillion.storage.link import RawConnection
from pillion.wire import keys

LOOK_EVERY_S = 5.0
LOOK_EVERY_UNTOLD_S = 1.0
_RETRY_S = 1.0
_RETRY_REFUSED_S = 60.0  # a user without the right to subscribe (an ACL) seldom gets it


class Control:
    """A subscription to news about pauses, kept up. It never raises: without it the process looks more often.

    `connect` makes an unconnected redis-py Connection; news of other queues than `queues` are passed over.
    All but `lock` is used by whoever holds the lock: the waiter while it sleeps, else the ticker.
    """

    def __init__(self, connect: Callable[[], RawConnection], queues: Iterable[str]) -> None:
        self._connect = connect
        self._names = {name.encode() for name in queues}
        self._connection: RawConnection = None
        self._next_try = 0.0
        self.lock = threading.RLock()
        self.subscribed = False

    def listen(self) -> int | None:
        """The file descriptor to watch, after subscribing where that is due. None: there is none just now."""
        if self._connection is None and time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + _RETRY_S
            self._connection = self._connect()
            try:
                self._connection.connect()
                self._connection.send_command("SUBSCRIBE", keys.CONTROL, check_health=False)
            except (redis.RedisError, OSError):
                self.close()
        # redis-py has no public way to select on a connection.
        return None if self._connection is None else self._connection._sock.fileno()

    def heard(self) -> bool:
        """Read what has come. True if it is time to look at the set of paused queues again."""
        news = False
        try:
            while self._connection is not None and self._connection.can_read(timeout=0):
                news |= self._read()
        except redis.ResponseError:
            self._next_try = time.monotonic() + _RETRY_REFUSED_S
            self.close()
        except (redis.RedisError, OSError):
            self.close()
        return news

    def close(self) -> None:
        """End the subscription; the next `listen` begins a new one."""
        self.subscribed = False
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def end(self) -> None:
        """Close for good: no `listen` begins anything any more."""
        self._next_try = math.inf
        self.close()

    def _read(self) -> bool:
        kind, _, what = self._connection.read_response()
        if kind == b"subscribe":
            self.subscribed = True
            return True
        return what in self._names


class Alarm:
    """Sleeps on file descriptors, on `wake` and on the news of `control`. One thread sleeps at a time.

    After `sleep`, `woken` says whether `wake` was called, and `news` whether paused queues are to be looked at.
    """

    def __init__(self, control: Control | None = None) -> None:
        self._control = control
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.woken = False
        self.news = False

    def wake(self) -> None:
        """Make `sleep` return, from any thread."""
        with suppress(OSError):  # the pipe is full of wake-ups already, or closed
            self._writer.send(b"!")

    def sleep(self, filenos: Iterable[int], timeout_s: float) -> list[int]:
        """Sleep until one of `filenos` can be read, or something else happened; returns those that can be."""
        if self._control is None:
            return self._sleep(filenos, timeout_s, None)
        with self._control.lock:
            told = self._control.listen()
            ready = self._sleep(filenos, min(timeout_s, self.look_every_s), told)
            if told in ready:
                ready.remove(told)
                self.news = self._control.heard()
            return ready

    def overhear(self) -> bool:
        """Whether there is news, for a process that does not sleep. Asks nobody and never waits."""
        control = self._control
        if control is None or not control.lock.acquire(blocking=False):
            return False  # nobody would tell, or the sleeper will hear it
        try:
            told = control.listen()
            return told is not None and can_read(told) and control.heard()
        finally:
            control.lock.release()

    @property
    def look_every_s(self) -> float:
        """After how many seconds the paused queues are to be looked at again without any news."""
        told = self._control is None or self._control.subscribed
        return LOOK_EVERY_S if told else LOOK_EVERY_UNTOLD_S

    @property
    def unsure(self) -> bool:
        """Whether a queue may have been paused since the last look: there is news, or nobody would have told."""
        return self.news or (self._control is not None and not self._control.subscribed)

    def drop(self) -> None:
        """End the subscription; the next `sleep` begins a new one."""
        if self._control is not None:
            with self._control.lock:
                self._control.close()

    def close(self) -> None:
        """Close everything for good."""
        if self._control is not None:
            with self._control.lock:
                self._control.end()
        self._reader.close()
        self._writer.close()

    def _sleep(self, filenos: Iterable[int], timeout_s: float, told: int | None) -> list[int]:
        self.woken = self.news = False
        poller = select.poll()
        own = self._reader.fileno()
        for fileno in (own, *filenos, *(() if told is None else (told,))):
            poller.register(fileno, select.POLLIN)
        ready = [fileno for fileno, _ in poller.poll(max(0.0, timeout_s) * 1000)]
        if own in ready:
            ready.remove(own)
            self.woken = True
            self._drain_wakeups()
        return ready

    def _drain_wakeups(self) -> None:
        with suppress(BlockingIOError):
            while self._reader.recv(64):
                pass


def can_read(fileno: int) -> bool:
    """Whether something has come on this file descriptor, or its other end is gone."""
    poller = select.poll()
    poller.register(fileno, select.POLLIN)
    return bool(poller.poll(0))
