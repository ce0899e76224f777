"""QueueWait: sleep until any of several queues has a job, and have it safe already on waking.

Design record. One blocking move (`BLMOVE queue private-list`) per queue, each on a connection of
its own, all watched by one poll. A push by anyone, Ruby included, wakes exactly one waiting
process at once, and the job is in this process's private list before it learns of it: a crash right
then loses nothing, the reaper looks there too. The job is then leased by the next fetch, which
empties the private lists first.

The moves that are still blocked when one has answered must not take further jobs while all threads
are busy. So the fetch that follows a wake-up carries `CLIENT UNBLOCK` for each of them in the same
packet; `settle_cancelled` then reads their replies.

No move is armed for a queue that is known to be paused, and the same poll watches for news of pauses. With
news `wait` ends, so that the fetch that follows calls the moves off and looks at the pauses itself; a job
that a move has brought together with the news is left to that fetch.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import redis

from pillion.storage.control import Alarm, Control, can_read
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

    def rest(self) -> None:
        """Close the connection if no move is under way: an idle one might break unseen."""
        if self.connection is not None and not self.armed:
            self.drop()

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
    connection that was closed from here, to be ended on the server too: `Link.give_up`. `control` brings
    news of pauses.
    """

    def __init__(
        self,
        connect: Callable[[], RawConnection],
        explain: Callable[[BaseException], BaseException],
        routes: Sequence[Route],
        *,
        timeout_s: float,
        give_up: Callable[[Client], object] = lambda _: None,
        control: Control | None = None,
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._lines = [_Line(route) for route in routes]
        self._timeout_s = timeout_s
        self._tell_given_up = give_up
        self._moved: list[tuple[Route, bytes]] = []
        self._alarm = Alarm(control)

    def wait(self, paused: Collection[str] = ()) -> bool:
        """Sleep until a queue has had a job, there is news of pauses, `wake` was called, or it has been long.

        `paused` are the names of the queues to leave alone. True: a job lies in a private list now, or
        a fetch should look at the pauses. Raises RedisUnavailable (or what Redis answered).
        """
        if any(line.armed and line.route.queue in paused for line in self._lines):
            return True  # that move has to be called off
        try:
            self._arm(paused)
            return self._select()
        except (redis.RedisError, OSError) as exc:
            self.drop()
            raise self._explain(exc) from exc

    def wake(self) -> None:
        """Make a `wait` return, from any thread."""
        self._alarm.wake()

    def overhear(self) -> bool:
        """Whether there is news of pauses and nobody waits to hear it, from any thread. Asks nobody."""
        return self._alarm.overhear()

    def take_moved(self) -> list[tuple[Route, bytes]]:
        """The jobs that lie in private lists since the last `wait`, each once."""
        moved, self._moved = self._moved, []
        return moved

    @property
    def unsure(self) -> bool:
        """After `wait`: what was moved may come from a queue that was paused meanwhile."""
        return self._alarm.unsure

    @property
    def look_every_s(self) -> float:
        """How often to look at the pauses without any news."""
        return self._alarm.look_every_s

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
            if line.armed and can_read(line.socket.fileno()):
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
        self._alarm.drop()
        for line in self._lines:
            self._give_up(line)

    def close(self) -> None:
        """Close everything for good."""
        self.drop()
        self._alarm.close()

    def _arm(self, paused: Collection[str]) -> None:
        for line in self._lines:
            if line.route.queue in paused:
                line.rest()
            elif not line.armed:
                line.arm(self._connect, self._timeout_s)

    def _select(self) -> bool:
        lines: dict[int, _Line] = {line.socket.fileno(): line for line in self._lines if line.armed}
        deadline = min((line.deadline for line in lines.values()), default=math.inf)
        ready = self._alarm.sleep(lines, min(deadline - time.monotonic(), self._timeout_s + _REPLY_MARGIN_S))
        if not ready and time.monotonic() >= deadline:
            raise redis.TimeoutError("no answer to a blocking move")
        for fileno in ready:
            if (payload := lines[fileno].read()) is not None:
                self._moved.append((lines[fileno].route, payload))
        return bool(self._moved) or self._alarm.news

    def _give_up(self, line: _Line) -> None:
        self._tell_given_up(line.drop())
