"""Staff: the threads of one capsule, started only as sync jobs need them.

Design record. A thread that runs a sync job cannot do anything else; one that takes an async job is back at once. So
there is always to be a thread that is not in a sync job, as long as a slot is free for what it takes. It is started

- by the thread that begins a sync job, if all the others are in one (`begins`),
- by the event loop, if it puts back a slot and all threads are in sync jobs (`slot_came_free`).

Both first do what the other looks at, and then look: so of two at the same time at least one sees it. A process of
async jobs has one such thread, however many slots it has. Once there is a thread for each slot, nobody has to count any
more: then a sync job costs nothing here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pillion.server.slot import Slot
from pillion.server.slot_pool import SlotPool

log = logging.getLogger("pillion")

REFUSED_WAIT_S = 10.0


class Staff:
    """Up to `most` threads that each `live(slot)`, called `name`-1 and so on. `live` gives its last slot back.

    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        pool: SlotPool,
        live: Callable[[Slot], None],
        *,
        name: str,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._live = live
        self._name = name
        self._most = most
        self._clock = clock
        self._next_try_s = float("-inf")
        self._threads: list[threading.Thread] = []
        self._in_sync_jobs = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._threads)

    def start(self) -> None:
        """Start the first thread."""
        with self._lock:
            if not self._threads:
                self._start_one()

    def begins(self) -> bool:
        """A thread begins a sync job. False: it need not tell any more, there are enough threads for ever."""
        with self._lock:
            self._in_sync_jobs += 1
            self._start_if_needed()
            return len(self._threads) < self._most

    def ends(self) -> None:
        """That sync job has ended."""
        with self._lock:
            self._in_sync_jobs -= 1

    def slot_came_free(self) -> None:
        """There is a slot again that no thread has given back."""
        if self._in_sync_jobs >= len(self._threads) < self._most:
            with self._lock:
                self._start_if_needed()

    def join(self, deadline_s: float) -> None:
        """Wait until all threads have ended, or `deadline_s` (monotonic) has come."""
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - self._clock()))

    def _start_if_needed(self) -> None:
        is_needed = self._threads and self._in_sync_jobs >= len(self._threads) < self._most
        if is_needed and self._clock() >= self._next_try_s:
            self._start_one()

    def _start_one(self) -> None:
        slot = self._pool.take_now()
        if slot is None:
            return
        name = f"{self._name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._live, args=(slot,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # the system has no more of them: go on with those there are
            self._pool.give(slot)
            self._next_try_s = self._clock() + REFUSED_WAIT_S
            log.warning("Could not start thread %s, going on with %d: %s", name, len(self._threads), exc)
        else:
            self._threads.append(thread)
