"""QueueWait: sleep until any of several queues has a job, and have it safe already on waking.

Design record. One blocking move (`BLMOVE queue private-list`) per queue, each on a connection of
its own, all watched by one poll. A push by anyone, Ruby included, wakes exactly one waiting
process at once, and the job is in this process's private list before it learns of it: a crash right
then loses nothing, the reaper looks there too. The job is then leased by the next fetch, which
empties the private lists first.

The moves that are still blocked when one has answered must not take further jobs while all threads
are busy. So the fetch that follows a wake-up carries `CLIENT UNBLOCK` for each of them in the same
packet; `settle_cancelled` then reads their replies.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis

from pillion.storage.link import NOBODY, Client, RawConnection, introduce
from pillion.storage.ops.base import Op, command
from pillion.storage.ops.work import Route

_REPLY_MARGIN_S = 3.0
# A user without the right to CLIENT UNBLOCK cannot call a move off; closing its connection always can.
_CALLS_BEFORE_CLOSING = 10


class _Line:
    """One connection with at most one blocking move on it."""

    __slots__ = ("armed", "called_off", "client", "connection", "deadline", "route")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.connection: RawConnection = None
        self.client = NOBODY
        self.armed = False
        self.called_off = 0  # how often, since it was armed
        self.deadline = 0.0

    def arm(self, connect: Callable[[], RawConnection], timeout_s: float) -> None:
        if self.connection is None:
            self.connection = connect()
            self.connection.connect()
            self.client = introduce(self.connection)
        self.connection.send_command(
            "BLMOVE", self.route.key, self.route.wait, "RIGHT", "LEFT", timeout_s, check_health=False
        )
        self.armed = True
        self.called_off = 0
        self.deadline = time.monotonic() + timeout_s + _REPLY_MARGIN_S

    @property
    def socket(self) -> socket.socket:
        return self.connection._sock  # type: ignore[no-any-return]  # redis-py has no public way to select on it

    def read(self) -> bytes | None:
        """Read the reply of the move: the payload that it moved, if any."""
        self.armed = False
        try:
            return self.connection.read_response()  # type: ignore[no-any-return]
        except redis.ResponseError as exc:
            # UNBLOCKED: the server turned replica or is failing over. Anything else is for the caller.
            if str(exc).startswith("UNBLOCKED"):
                return None
            raise

    @property
    def client_id(self) -> int:
        """What Redis calls this connection."""
        return self.client.id

    def drop(self) -> Client:
        """Close the connection; returns who it was."""
        dropped, self.client, self.armed = self.client, NOBODY, False
        if self.connection is not None:
            self.connection.disconnect()
            self.connection = None
        return dropped


class QueueWait:
    """Blocking wait on several queues. Used by one thread at a time, except for `wake`.

    `timeout_s` is how long each blocking move may wait before it is sent anew. `give_up` is told of each
    connection that was closed from here, to be ended on the server too: `Link.give_up`.
    """

    def __init__(
        self,
        connect: Callable[[], RawConnection],
        explain: Callable[[BaseException], BaseException],
        routes: Sequence[Route],
        *,
        timeout_s: float,
        give_up: Callable[[Client], object] = lambda _: None,
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._lines = [_Line(route) for route in routes]
        self._timeout_s = timeout_s
        self._tell_given_up = give_up
        self._moved: list[tuple[Route, bytes]] = []
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

    def wait(self) -> bool:
        """Sleep until a queue has had a job, `wake` was called, or the moves timed out.

        True if a job lies in a private list now. Raises RedisUnavailable (or what Redis answered).
        """
        try:
            self._arm()
            return self._select()
        except (redis.RedisError, OSError) as exc:
            self.drop()
            raise self._explain(exc) from exc

    def take_moved(self) -> list[tuple[Route, bytes]]:
        """The jobs that lie in private lists since the last `wait`, each once."""
        moved, self._moved = self._moved, []
        return moved

    def wake(self) -> None:
        """Make a `wait` return, from any thread."""
        with suppress(BlockingIOError):  # the pipe is full of wake-ups already
            self._wake_writer.send(b"!")

    def cancel_ops(self) -> list[Op[Any]]:
        """Ops that end every blocking move still under way."""
        armed = [line for line in self._lines if line.armed]
        for line in armed:
            line.called_off += 1
        return [command("CLIENT", "UNBLOCK", line.client_id) for line in armed]

    def settle_cancelled(self) -> bool:
        """After `cancel_ops` was carried out: read the replies. True if a move may have brought a job.

        A blocking move that was still on its way when it was called off blocks after that, or brings a
        job after that: as long as it is `armed`, cancel and settle once more.
        """
        late = False
        for line in self._lines:
            if line.armed and _readable(line.socket):
                try:
                    late |= line.read() is not None
                except (redis.RedisError, OSError):
                    self._give_up(line)
                    late = True
            elif line.armed and line.called_off >= _CALLS_BEFORE_CLOSING:
                self._give_up(line)
                late = True
        return late

    @property
    def armed(self) -> bool:
        """Whether a blocking move is under way."""
        return any(line.armed for line in self._lines)

    def drop(self) -> None:
        """Close every connection; the next exchange of the Link ends them on the server too.

        What was moved and not taken yet is forgotten: it lies in its private list, where the next drain finds it.
        """
        self._moved.clear()
        for line in self._lines:
            self._give_up(line)

    def close(self) -> None:
        """Close everything for good."""
        self.drop()
        self._wake_reader.close()
        self._wake_writer.close()

    def _arm(self) -> None:
        for line in self._lines:
            if not line.armed:
                line.arm(self._connect, self._timeout_s)

    def _select(self) -> bool:
        lines: dict[int, _Line] = {line.socket.fileno(): line for line in self._lines}
        poller = select.poll()
        poller.register(self._wake_reader, select.POLLIN)
        for fileno in lines:
            poller.register(fileno, select.POLLIN)
        wait_s = min(line.deadline for line in self._lines) - time.monotonic()
        ready = poller.poll(max(0.0, wait_s) * 1000)
        if not ready:
            raise redis.TimeoutError("no answer to a blocking move")
        for fileno, _ in ready:
            if fileno not in lines:
                self._drain_wakeups()
            elif (payload := lines[fileno].read()) is not None:
                self._moved.append((lines[fileno].route, payload))
        return bool(self._moved)

    def _drain_wakeups(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_reader.recv(64):
                pass

    def _give_up(self, line: _Line) -> None:
        self._tell_given_up(line.drop())


def _readable(sock: socket.socket) -> bool:
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))
