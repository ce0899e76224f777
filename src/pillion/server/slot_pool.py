"""SlotPool: the free slots of one capsule.

A capsule has as many slots as it may run jobs at a time, sync and async ones together. A thread holds one while it
waits for a job and while it runs one. An async job takes the slot along to the event loop, and the thread gets another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from pillion.server.slot import Slot


class SlotPool:
    """Hands out slots, those first that came back last. Safe to use from any thread."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._free = list(reversed(slots))
        self._held_back: list[Slot] = []
        self._out = 0
        self._closed = False
        self._change = threading.Condition(threading.Lock())

    @property
    def free(self) -> int:
        """How many could be had now."""
        return 0 if self._closed else len(self._free)

    def take_now(self) -> Slot | None:
        """A slot; None if there is none, or none any more."""
        with self._change:
            return self._take()

    def take(self) -> Slot | None:
        """A slot, as soon as there is one. None: there are none any more."""
        with self._change:
            while not self._free and not self._closed:
                self._change.wait()
            return self._take()

    def give(self, slot: Slot) -> None:
        """Take a slot back."""
        with self._change:
            self._free.append(slot)
            self._out -= 1
            if self._closed:
                self._change.notify_all()
            else:
                self._change.notify()

    def hold_back(self, *, all_but: int) -> None:
        """Hand out only so many until `release`."""
        with self._change:
            self._held_back += self._free[:-all_but]
            del self._free[:-all_but]

    def release(self) -> None:
        """Hand out what was held back, too."""
        with self._change:
            self._free[:0], self._held_back = self._held_back, []
            self._change.notify_all()

    def close(self) -> None:
        """Hand out no more, also to those who wait."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    def wait_for_all(self, deadline_s: float) -> bool:
        """After `close`: wait until all slots have come back; False if `deadline_s` (monotonic) came first."""
        with self._change:
            return self._change.wait_for(lambda: not self._out, max(0.0, deadline_s - time.monotonic()))

    def _take(self) -> Slot | None:
        """`_change` is held."""
        if self._closed or not self._free:
            return None
        self._out += 1
        return self._free.pop()
