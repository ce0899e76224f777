"""How many jobs one fetch asks for.

More than the free threads can start at once is a bet: it saves round trips when jobs are short, and
makes a job wait for a busy process when they are not. So the bet is small (about 20 ms of work),
is never made when a job takes 50 ms or more, and what it got wrong is handed back after 100 ms.

And the next fetch begins early enough for its jobs to be here when the last of these is taken: while one thread
waits for Redis, the others run what is left. Where there are no others, or Redis is so far away that the batches would
become too small, there is nothing to gain.
"""

from __future__ import annotations

PREFETCH_S = 0.020
SLOW_JOB_S = 0.050
HAND_BACK_AFTER_S = 0.100
MAX_JOBS = 500
LOW_MOST = 400
MAX_BYTES = 1_000_000


class Pace:
    """How fast this process has finished jobs lately, measured between fetches, and how long these took."""

    __slots__ = ("_rate", "_took_s")

    def __init__(self) -> None:
        self._rate = 0.0
        self._took_s = 0.0

    def observe(self, finished: int, elapsed_s: float) -> None:
        """`finished` jobs ended within `elapsed_s` seconds. A slowdown is believed at once, a speed-up by half."""
        if elapsed_s <= 0:
            return
        seen = finished / elapsed_s
        self._rate = seen if seen < self._rate / 4 or not self._rate else (self._rate + seen) / 2

    def took(self, elapsed_s: float) -> None:
        """A fetch took so many seconds, from its beginning until its jobs were in the buffer."""
        self._took_s = (self._took_s + elapsed_s) / 2

    def forget(self) -> None:
        """The process was idle: the past says nothing about the next jobs."""
        self._rate = 0.0

    def batch(self, *, free: int, threads: int, buffered: int) -> int:
        """How many jobs to ask for, with `free` of `threads` threads waiting for one, and `buffered` here already."""
        return max(0, min(free + self._bet(threads) - buffered, max(MAX_JOBS, free)))

    def low(self, *, threads: int, takers: int) -> int:
        """With fewer jobs than this in the buffer it is time for the next fetch; so many threads take from it."""
        in_the_meantime, bet = self._rate * self._took_s, self._bet(threads)
        if takers < 2 or in_the_meantime * 3 > bet:
            return 0
        return min(int(in_the_meantime * 2), bet // 2, LOW_MOST)  # twice, for it may take longer than the last

    def _bet(self, threads: int) -> int:
        if not self._rate or threads / self._rate >= SLOW_JOB_S:
            return 0
        return int(self._rate * PREFETCH_S)
