"""QueuePoll: like QueueWait, for so many queues that a connection for each would be too much.

It asks with one command whether any of the queues exists, more and more slowly while none does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from pillion.storage.ops.base import Op, command
from pillion.storage.ops.work import Route

FIRST_WAIT_S = 0.005
LONGEST_WAIT_S = 0.4


class QueuePoll:
    """Adaptive polling of many queues, with the interface of QueueWait.

    `ask` sends one op and returns its result.
    """

    armed = False  # it never has a move under way that would have to be cancelled

    def __init__(self, ask: Callable[[Op[Any]], Any], routes: Sequence[Route]) -> None:
        self._ask = ask
        self._exists = command("EXISTS", *(route.key for route in routes))
        self._woken = threading.Event()

    def wait(self) -> bool:
        """Sleep until a queue has a job (True) or `wake` was called (False)."""
        wait_s = FIRST_WAIT_S
        while not self._woken.wait(wait_s):
            if self._ask(self._exists):
                return True
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        self._woken.clear()
        return False

    def take_moved(self) -> list[tuple[Route, bytes]]:
        """Polling moves nothing."""
        return []

    def wake(self) -> None:
        """Make a `wait` return, from any thread."""
        self._woken.set()

    def cancel_ops(self) -> list[Op[Any]]:
        """Nothing is ever under way."""
        return []

    def settle_cancelled(self) -> bool:
        """Nothing is ever under way."""
        return False

    def drop(self) -> None:
        """Nothing to drop."""

    def close(self) -> None:
        """Nothing to close."""
