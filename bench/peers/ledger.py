"""What every job writes down, the same for all contestants: a file of fixed size, mapped into each process.

Job number n owns slot n: when it was pushed (or due), when it first started, when it last did something, how
many times it ran, whether it finished. Writing a slot is a store into shared memory: no system call, no Redis
command, so the ledger costs all contestants the same fraction of a microsecond, and proves that each job ran.

Layout, for N jobs: N doubles pushed, N doubles first, N doubles last, N bytes runs, N bytes finished.
`sidekiq_jobs.rb` writes the same.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

SLOT = 3 * 8 + 2


class Ledger:
    """The mapped file."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        size = len(self._map) // SLOT
        whole = memoryview(self._map)
        self.size = size
        self.pushed = whole[: 8 * size].cast("d")
        self.first = whole[8 * size : 16 * size].cast("d")
        self.last = whole[16 * size : 24 * size].cast("d")
        self.runs = whole[24 * size : 25 * size]
        self.finished = whole[25 * size :]

    @classmethod
    def create(cls, path: Path, size: int) -> Ledger:
        """A new ledger for `size` jobs, nothing done."""
        path.write_bytes(bytes(SLOT * size))
        return cls(path)

    def begin(self, number: int) -> int:
        """A job starts; answer which run of it this is, from 1."""
        now = time.time()
        if not self.runs[number]:
            self.first[number] = now
        self.last[number] = now
        self.runs[number] += 1
        return self.runs[number]

    def finish(self, number: int) -> None:
        """A job is done."""
        self.last[number] = time.time()
        self.finished[number] = 1

    def done(self) -> int:
        """How many jobs have finished."""
        return bytes(self.finished).count(1)


def opened() -> Ledger:
    """The ledger of this run, which the driver names in the environment."""
    return Ledger(Path(os.environ["BENCH_LEDGER"]))
