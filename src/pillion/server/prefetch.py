"""How many jobs one fetch asks for.

More than the free threads can start at once is a bet: it saves round trips when jobs are short, and
makes a job wait for a busy process when they are not. So the bet is small (about 20 ms of work),
is never made when a job takes 50 ms or more, and what it got wrong is handed back after 100 ms.
"""

from __future__ import annotations

PREFETCH_S = 0.020
SLOW_JOB_S = 0.050
HAND_BACK_AFTER_S = 0.100
MAX_JOBS = 500
MAX_BYTES = 1_000_000


class Pace:
    """How fast this process has finished jobs lately, measured between fetches."""

    __slots__ = ("_rate",)

    def __init__(self) -> None:
        self._rate = 0.0

    def observe(self, finished: int, elapsed_s: float) -> None:
        """`finished` jobs ended within `elapsed_s` seconds. A slowdown is believed at once, a speed-up by half."""
        if elapsed_s <= 0:
            return
        seen = finished / elapsed_s
        self._rate = seen if seen < self._rate / 4 or not self._rate else (self._rate + seen) / 2

    def forget(self) -> None:
        """The process was idle: the past says nothing about the next jobs."""
        self._rate = 0.0

    def batch(self, *, free: int, threads: int) -> int:
        """How many jobs to ask for, with `free` of `threads` threads waiting for one."""
        if not self._rate or threads / self._rate >= SLOW_JOB_S:
            return free
        return min(free + int(self._rate * PREFETCH_S), max(MAX_JOBS, free))
