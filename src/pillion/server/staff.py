"""Staff: the threads of one capsule, started only as sync jobs need them.

Design record. A thread that runs a sync job cannot do anything else; one that takes an async job is back at once. So
there is always to be a thread that is not in a sync job, as long as a slot is free for what it takes. It is started

- by the thread that begins a sync job, if all the others are in one,
- by the event loop, if it puts back a slot and all threads are in sync jobs.

Each first does what the other looks at (raises its flag, puts back the slot), and then looks: so of two at the same
time at least one sees it. That needs no lock, and a sync job nothing but the flag that its slot has anyway.

A process of async jobs has one such thread, however many slots it has. A small capsule has all its threads with its
first sync job: looking would cost more than they do. Once there is a thread for each slot, nobody looks any more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pillion.server.slot import Slot
from pillion.server.slot_pool import SlotPool

log = logging.getLogger("pillion")

SMALL = 25
REFUSED_WAIT_S = 10.0


class Post:
    """A thread, and the slot that it has just now; while it waits for one, it has one that nobody uses."""

    __slots__ = ("_nowhere", "slot")

    def __init__(self, slot: Slot) -> None:
        self._nowhere = Slot(lambda: False)
        self.slot = slot

    def leave_slot(self) -> None:
        """The slot is somebody else's from now on."""
        self.slot = self._nowhere


class Staff:
    """Up to `most` threads that each `live(post)`, called `name`-1 and so on. `live` gives its last slot back.

    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        pool: SlotPool,
        live: Callable[[Post], None],
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
        self._posts: list[Post] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._threads)

    def start(self) -> None:
        """Start the first thread."""
        with self._lock:
            if not self._threads:
                self._start_one()

    def look(self) -> bool:
        """Start what is needed. False: nobody needs to look any more, there are enough threads for ever."""
        if self._somebody_is_free():
            return len(self._posts) < self._most
        with self._lock:
            if self._posts and not self._somebody_is_free() and self._clock() >= self._next_try_s:
                while self._start_one() and self._most <= SMALL:
                    pass
            return len(self._posts) < self._most

    def join(self, deadline_s: float) -> None:
        """Wait until all threads have ended, or `deadline_s` (monotonic) has come."""
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - self._clock()))

    def _somebody_is_free(self) -> bool:
        for post in reversed(self._posts):  # noqa: SIM110 - `any` takes twice as long; the latest are the likeliest
            if not post.slot.in_user_code:
                return True
        return False

    def _start_one(self) -> bool:
        slot = self._pool.take_now() if len(self._threads) < self._most else None
        if slot is None:
            return False
        post = Post(slot)
        name = f"{self._name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._live, args=(post,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # the system has no more of them: go on with those there are
            self._pool.give(slot)
            self._next_try_s = self._clock() + REFUSED_WAIT_S
            log.warning("Could not start thread %s, going on with %d: %s", name, len(self._threads), exc)
            return False
        self._threads.append(thread)
        self._posts.append(post)
        return True
