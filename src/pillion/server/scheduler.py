"""Scheduler: starts due jobs on time, from exactly one process, with others standing by.

Design record. All processes polling finely would cost n times the commands for nothing; all polling
coarsely (Sidekiq: one poll each 5 s somewhere in the cluster) starts jobs late. So one is elected by a
lock of 15 s and looks at the very moment the next job is due, at the latest after 1.5 s; whoever
pushes a job due sooner than that wakes it through a list. The others poll as in Sidekiq, and try for
the lock on the way: if the leader hangs or dies, jobs start a little late and never not at all. The
lock is for economy only. Promotion is safe from any number of processes at once.

Idle cost of the leader: two reads each 1.5 s, three commands for the lock each 5 s, and a blocking pop
twice a minute: two commands a second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from random import Random

from pillion.config import Config
from pillion.errors import RedisError
from pillion.server.polling import poll_interval, wait_until_due
from pillion.server.promotion import Promoter, Stamp
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.storage.ops import promote as ops
from pillion.storage.prune import prune_processes
from pillion.storage.sync import Storage
from pillion.storage.wake_wait import WakeWait
from pillion.wire import keys

log = logging.getLogger("pillion")

LOCK_TTL_S = 15.0
RENEW_LOCK_EVERY_S = 5.0
LONGEST_WAIT_S = 1.5
ERROR_WAIT_S = 5.0
PRUNE_EVERY_S = 60.0
# However many short-delay jobs are pushed, the leader looks no more often than this.
SHORTEST_GAP_S = 0.010


class Scheduler:
    """A Service that promotes due jobs, as the leader or as a stand-by.

    Parameters: `stamp` is `Client.promote_payload`. `clock` is epoch seconds, `monotonic` is for waits.
    """

    def __init__(
        self,
        storage: Storage,
        config: Config,
        identity: str,
        stamp: Stamp,
        reporter: Reporter,
        *,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._config = config
        self._identity = identity
        self._reporter = reporter
        self._rng = rng or Random()
        self._clock = clock
        self._monotonic = monotonic
        self._loop = PeriodicService("scheduler", self._tick, reporter, error_wait_s=ERROR_WAIT_S)
        self._promoter = Promoter(storage, config, stamp, reporter, stopping=lambda: self._loop.stopping, clock=clock)
        self._bell = WakeWait(storage.link_connection, storage.explain, keys.SCHEDULER_WAKE)
        self._renew_at = 0.0
        self._prune_at = 0.0
        self.leading = False

    def start(self) -> None:
        """Start the thread. It tries to lead at once."""
        self._loop.start()

    def quiet(self) -> None:
        """Promote no further job. A leader resigns, so that another process can lead."""
        self._loop.quiet()
        self._bell.wake()

    def stop(self, deadline_s: float) -> None:
        """Promote no further job; wait for the one under way until `deadline_s` (monotonic)."""
        self.quiet()
        self._loop.stop(deadline_s)
        if not self.leading:
            self._bell.close()

    # -- in the thread ---------------------------------------------------------------------------

    def _tick(self) -> float:
        """One turn of a stand-by, or a whole reign as the leader."""
        if self._hold_lock():
            self._lead()
        else:
            self._prune()
            self._promoter.promote_due()
        if self._loop.stopping:
            return 0.0
        return poll_interval(
            self._storage.run(ops.process_count()), self._config.average_scheduled_poll_interval_s, self._rng
        )

    def _lead(self) -> None:
        """Promote until told to stop, outvoted, or Redis fails."""
        self.leading = True
        log.debug("Scheduler: %s leads", self._identity)
        try:
            while not self._loop.stopping and self._still_leading():
                self._prune()
                next_due_s = self._promoter.promote_due()
                if self._bell.wait(wait_until_due(next_due_s, self._clock(), LONGEST_WAIT_S)):
                    time.sleep(SHORTEST_GAP_S)
        finally:
            self.leading = False
            self._bell.drop()
            self._resign()

    def _hold_lock(self) -> bool:
        self._renew_at = self._monotonic() + RENEW_LOCK_EVERY_S
        return self._storage.run(ops.hold_lock(keys.SCHEDULER_LOCK, self._identity, LOCK_TTL_S))

    def _still_leading(self) -> bool:
        return self._monotonic() < self._renew_at or self._hold_lock()

    def _resign(self) -> None:
        try:
            self._storage.run(ops.release_lock(keys.SCHEDULER_LOCK, self._identity))
        except RedisError:
            log.debug("Scheduler: could not give the lock back; it ends by itself within %.0f s", LOCK_TTL_S)

    def _prune(self) -> None:
        """Once a minute in the whole cluster: take dead processes off the list (wire-format 7.7)."""
        if self._monotonic() >= self._prune_at:
            self._prune_at = self._monotonic() + PRUNE_EVERY_S
            prune_processes(self._storage)
