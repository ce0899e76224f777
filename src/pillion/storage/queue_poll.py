"""QueuePoll: like QueueWait, for so many queues that a connection for each would be too much.

It asks with one command whether any of the queues exists, more and more slowly while none does. Paused
queues are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pillion.storage.control import Alarm, Control
from pillion.storage.ops.base import Op, command
from pillion.storage.ops.work import Route

FIRST_WAIT_S = 0.005
LONGEST_WAIT_S = 0.4


class QueuePoll:
    """Adaptive polling of many queues, with the interface of QueueWait.

    `ask` sends one op and returns its result; `control` brings news of pauses.
    """

    armed = False  # it never has a move under way that would have to be cancelled
    unsure = False  # it moves nothing

    def __init__(
        self, ask: Callable[[Op[Any]], Any], routes: Sequence[Route], *, control: Control | None = None
    ) -> None:
        self._ask = ask
        self._routes = routes
        self._wait_s = FIRST_WAIT_S
        self._alarm = Alarm(control)

    def wait(self, paused: Collection[str] = ()) -> bool:
        """Sleep until a queue has a job, there is news of pauses, `wake` was called, or it has been long.

        `paused` are the names of the queues to leave alone. True: there is a job, or a fetch should look at
        the pauses.
        """
        names = [route.key for route in self._routes if route.queue not in paused]
        until = time.monotonic() + self.look_every_s
        while (left_s := until - time.monotonic()) > 0:
            self._alarm.sleep((), min(left_s, self._wait_s if names else math.inf))
            if self._alarm.woken or self._alarm.news:
                self._wait_s = FIRST_WAIT_S
                return self._alarm.news
            if names and self._ask(command("EXISTS", *names)):
                self._wait_s = FIRST_WAIT_S
                return True
            self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)
        return False

    @property
    def look_every_s(self) -> float:
        """How often to look at the pauses without any news."""
        return self._alarm.look_every_s

    def wake(self) -> None:
        """Make a `wait` return, from any thread."""
        self._alarm.wake()

    def overhear(self) -> bool:
        """Whether there is news of pauses and nobody waits to hear it, from any thread. Asks nobody."""
        return self._alarm.overhear()

    def take_moved(self) -> list[tuple[Route, bytes]]:
        """Polling moves nothing."""
        return []

    def cancel_ops(self) -> list[Op[Any]]:
        """Nothing is ever under way."""
        return []

    def settle_cancelled(self) -> bool:
        """Nothing is ever under way."""
        return False

    def drop(self) -> None:
        """End the subscription; the next `wait` begins a new one."""
        self._alarm.drop()

    def close(self) -> None:
        """Close everything for good."""
        self._alarm.close()
