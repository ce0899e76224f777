"""MetricsService: brings what the recorder has counted to Redis (wire-format 8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import islice

from pillion.errors import RedisRefused, RedisUnavailable
from pillion.features import Host
from pillion.features.metrics.recorder import Recorder
from pillion.storage.ops import metrics as ops
from pillion.wire.rollup import Counts

FLUSH_EVERY_S = 10.0
# So many classes go at a time: about 400 commands, a millisecond or two of Redis.
CLASSES_AT_A_TIME = 50


class MetricsService:
    """A Service that flushes every ten seconds, and a last time after the last job.

    What could not be written is kept for the next time: a Redis that is away for an hour costs the
    minutes their order, not the jobs their count. What was sent without an answer is sent again as it
    was, under its number, and Redis takes each number once: it may have it already, or have been too slow.
    `clock` is epoch seconds; the bucket is that of the flush.
    """

    def __init__(self, recorder: Recorder, host: Host, clock: Callable[[], float] = time.time) -> None:
        self._recorder = recorder
        self._storage = host.storage
        self._clock = clock
        self._reporter = host.reporter
        self._loop = host.periodic("metrics", self._tick, error_wait_s=FLUSH_EVERY_S)
        self._identity = host.identity
        self._unwritten: dict[str, Counts] = {}
        self._batch: dict[str, Counts] = {}  # taken out of those: what is sent, until Redis has answered
        self._number = 0
        self._flushing = threading.Lock()

    def start(self) -> None:
        """Flush from now on."""
        self._loop.start()

    def quiet(self) -> None:
        """Nothing changes: jobs go on ending."""

    def stop(self, deadline_s: float) -> None:
        """Flush a last time, if Redis lets us before `deadline_s` (monotonic)."""
        self._loop.stop(deadline_s)
        if self._flushing.acquire(timeout=max(0.0, deadline_s - time.monotonic())):
            self._flushing.release()
            self.flush()

    def flush(self) -> None:
        """Write what was counted since the last time; nothing if nothing ran.

        Raises RedisUnavailable or RedisRefused; the counts are kept then.
        """
        with self._flushing:
            for job_class, counts in self._recorder.take().items():
                known = self._unwritten.get(job_class)
                self._unwritten[job_class] = counts if known is None else known + counts
            now_s = self._clock()
            while self._batch or self._unwritten:
                if not self._batch:
                    self._next_batch()
                self._write(now_s)

    def _next_batch(self) -> None:
        self._batch = dict(islice(self._unwritten.items(), CLASSES_AT_A_TIME))
        self._number += 1
        for job_class in self._batch:
            del self._unwritten[job_class]

    def _write(self, now_s: float) -> None:
        try:
            self._storage.run(ops.add_once(self._identity, self._number, self._batch, now_s))
        except (RedisUnavailable, RedisRefused):
            raise
        except Exception as exc:  # noqa: BLE001 - what cannot be written now never can, and must not hold up the rest
            # Such as a key of a wrong type: then the other commands of this batch were carried out.
            self._reporter.report(exc, {"context": "Error writing metrics"})
        self._batch = {}

    def _tick(self) -> float:
        self.flush()
        return FLUSH_EVERY_S
