"""Recorder: counts the runs of jobs in memory.

Design record. It is called for every job, so it takes no lock. Each thread counts in cells of its own,
which only grow; a reader takes the difference to what it saw the last time. Nobody ever sets a
counter back, so no count can fall between two threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pillion.errors import Interrupted
from pillion.wire.histogram import BOUNDS_MS, BUCKETS, bucket_of
from pillion.wire.rollup import Counts

# A payload may name any text as `wrapped`: a thread that has seen so many begins a fresh tally.
MAX_CLASSES = 1000
_FAST_S = BOUNDS_MS[0] / 1000
_NO_CELLS: Mapping[str, Cell] = MappingProxyType({})


class Cell:
    """What one thread has counted of one class. `fast` is the first bucket, apart because most jobs are in it."""

    __slots__ = ("failed", "fast", "histogram", "time_s")

    def __init__(self) -> None:
        self.failed = 0
        self.fast = 0
        self.time_s = 0.0
        self.histogram = [0] * BUCKETS

    def counts(self) -> Counts:
        """All that was ever counted."""
        fast, *slower = self.histogram
        return Counts(self.failed, int(self.time_s * 1000), (fast + self.fast, *slower))


class Tally:
    """The cells of one thread, and what a reader has seen of them."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.cells: dict[str, Cell] = {}
        self.is_full = False
        self._seen: dict[str, Counts] = {}

    def take(self) -> dict[str, Counts]:
        """What was counted since the last call, by class."""
        news: dict[str, Counts] = {}
        for job_class, cell in list(self.cells.items()):
            now = cell.counts()
            before = self._seen.get(job_class)
            if now != before:
                self._seen[job_class] = now
                news[job_class] = now if before is None else _difference(now, before)
        return news


class _Own(threading.local):
    """The tally of the calling thread, and its cells once more: one look-up less for each job."""

    tally: Tally | None = None
    cells: Mapping[str, Cell] = _NO_CELLS


class Recorder:
    """Counts runs. `observe` may be called from any thread, `take` from one at a time."""

    def __init__(self) -> None:
        self._own = _Own()
        self._tallies: list[Tally] = []
        self._lock = threading.Lock()

    def observe(self, payload: dict[str, Any], elapsed_s: float, error: BaseException | None) -> None:
        """Count one run of the job `payload` that took `elapsed_s` seconds and ended with `error`, or well.

        A failed run counts without its time. One that stopped on purpose (Interrupted) has not failed.
        """
        try:
            cell = self._own.cells[payload["wrapped" if "wrapped" in payload else "class"]]
        except (KeyError, TypeError):
            cell = self._cell(payload)
        if error is not None and not isinstance(error, Interrupted):
            cell.failed += 1
            return
        if elapsed_s < _FAST_S:
            cell.fast += 1
        else:
            cell.histogram[bucket_of(elapsed_s * 1000)] += 1
        cell.time_s += elapsed_s

    def take(self) -> dict[str, Counts]:
        """What was counted since the last call, by class; classes without runs are not in it."""
        with self._lock:
            tallies = list(self._tallies)
        news: dict[str, Counts] = {}
        for tally in tallies:
            is_over = tally.is_full or not tally.thread.is_alive()  # asked before its last counts are read
            for job_class, counts in tally.take().items():
                news[job_class] = news[job_class] + counts if job_class in news else counts
            if is_over:
                with self._lock:
                    self._tallies.remove(tally)
        return news

    def _cell(self, payload: dict[str, Any]) -> Cell:
        """The cell for a class that this thread has not seen yet."""
        own = self._own
        if own.tally is None or len(own.tally.cells) >= MAX_CLASSES:
            self._begin_tally(own)
        assert own.tally is not None, "it has just been begun"
        return own.tally.cells.setdefault(_class_of(payload), Cell())

    def _begin_tally(self, own: _Own) -> None:
        full = own.tally
        own.tally = Tally()
        own.cells = own.tally.cells
        with self._lock:
            self._tallies.append(own.tally)
        if full is not None:
            full.is_full = True


def _class_of(payload: dict[str, Any]) -> str:
    """The class inside a wrapper, else the class; "" if a middleware has taken both away."""
    for key in ("wrapped", "class"):
        name = payload.get(key)
        if name and isinstance(name, str):
            return name
    return ""


def _difference(now: Counts, before: Counts) -> Counts:
    histogram = tuple(map(int.__sub__, now.histogram, before.histogram))
    return Counts(now.failed - before.failed, now.time_ms - before.time_ms, histogram)
