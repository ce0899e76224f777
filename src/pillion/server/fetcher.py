"""Fetcher: brings jobs into this process and carries the news of finished ones out, in batches.

Design record
- *Who fetches.* There is no fetching thread. A thread that needs a job and finds the buffer empty
  takes the leader lock and fetches for all. The others queue up behind that lock: the first gets it
  when the leader has its job, sees the buffer, takes one and lets the next through. So threads wake
  one after the other, only while there is work, and a leader that waited on idle queues runs the
  job itself: no hand-over stands between a push and its run (but that of an async job to the loop).
- *Who tells Redis.* The next exchange, whichever it is, carries the outbox. When every thread is
  busy with a long job there is no next exchange, so `tick` sends it; when the leader is asleep on
  idle queues, the thread that finished sends it itself. What ends on the event loop sets `activity`.
- *Who looks at the pauses.* Each fetch does, inside Redis. The waiter hears of a pause while the leader
  sleeps, and sends it fetching; else `tick` hears of it while there are jobs in the buffer.
- *Locks.* `_leader` is held while fetching and while idle; `Leases` has a lock of its own around each
  exchange, and knows nothing of this one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from pillion.errors import RedisError, RedisRefused
from pillion.server.leases import Leases, Line
from pillion.server.prefetch import HAND_BACK_AFTER_S, Pace
from pillion.server.reporter import Reporter
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.waiter import Waiter

log = logging.getLogger("pillion")

OUTAGE_WAIT_S = 1.0
REPORT_REFUSAL_EVERY_S = 60.0


class Fetcher:
    """The jobs of one capsule on their way in and out.

    `take` and `outbox` are for the threads that run jobs; `tick` for a thread that calls it every
    10 ms while `is_active`; `quiet`, `hand_back` and `close` for the manager. `spare` says how many jobs
    could be started beside those of the threads that wait here: there is a thread, or will be, to take them.
    """

    def __init__(
        self,
        routes: Sequence[work.Route],
        order: Callable[[], Sequence[int]],
        *,
        line: Line,
        waiter: Waiter,
        threads: int,
        reporter: Reporter,
        spare: Callable[[], int] = lambda: 0,
    ) -> None:
        self._routes = routes
        self._order = order
        self._waiter = waiter
        self._threads = threads
        self._reporter = reporter
        self._spare = spare
        self._leases = Leases(routes, line, self._note_refusal)
        self.outbox = self._leases.outbox
        self.activity = threading.Event()
        self.one_at_a_time = False  # fetch nothing ahead: see `Manager.be_cautious`
        self._buffer: deque[UnitOfWork] = deque()
        self._buffered_at = 0.0
        self._leader = threading.Lock()
        self._hungry: set[int] = set()  # ids of the threads without a job
        self._pace = Pace()
        self._last_fetch = 0.0
        self._idle = False
        self._dry = False  # the last fetch got less than it asked for: sleep before the next
        self._drain_wait_lists = False  # jobs may lie in the private lists
        self._refused = False
        self._pauses_failed = False
        self._down_since = 0.0
        self._next_try = 0.0
        self._report_refusal_at = 0.0
        self._stopping = threading.Event()

    # -- for the threads that run jobs -----------------------------------------------------------

    def take(self) -> UnitOfWork | None:
        """The next job, as soon as there is one. None: the process is going quiet."""
        try:
            return self._buffer.popleft()
        except IndexError:
            return self._take_slowly()

    def _take_slowly(self) -> UnitOfWork | None:
        me = threading.get_ident()
        self._hungry.add(me)
        try:
            # The leader looks into the outbox after it set `_idle`, and we after we filled it:
            # one of us sees the other.
            if self._idle and self.outbox:
                self._flush_or_report()
            with self._leader:
                return self._lead()
        finally:
            self._hungry.discard(me)

    def leave(self) -> None:
        """A thread ends without having asked for another job: as if it had, and there was none."""
        with self._leader:
            self._stand_down()

    def _free(self) -> int:
        """How many jobs could be started now."""
        return len(self._hungry) + self._spare()

    def _lead(self) -> UnitOfWork | None:
        while not self._stopping.is_set():
            try:
                if self._buffer or (not self._dry and self._fetch()):
                    if self._stopping.is_set():
                        break  # they came too late: `_stand_down` hands them back
                    return self._buffer.popleft()
                unit = self._sleep_until_work()
                if unit is not None:
                    return unit
            except IndexError:
                continue  # `tick` or another thread was quicker
            except Exception as exc:  # noqa: BLE001 - also a bug: it must not cost the process its threads
                self._bear_outage(exc)
        self._stand_down()
        return None

    # -- fetching --------------------------------------------------------------------------------

    def _fetch(self) -> bool:
        """Bring in what the free threads and the prefetch can take. True if some jobs came."""
        order = [self._routes[index] for index in self._order()]
        count = 1 if self.one_at_a_time else self._pace.batch(free=self._free(), threads=self._threads)
        leased = self._lease(order, count)
        self._observe()
        while self._waiter.armed:
            # A move that was still on its way when it was called off may have brought a job after that.
            self._drain_wait_lists |= self._waiter.settle_cancelled()
            if self._must_drain():
                leased += self._lease(order, 0)
        self._obey_pauses()
        self._recovered()
        self._dry = leased < count
        return leased > 0

    def _lease(self, order: Sequence[work.Route], count: int) -> int:
        """One exchange. What it brings is in the buffer at once, whatever becomes of the next exchange."""
        drain = self._must_drain()
        cancel = self._waiter.cancel_ops() if drain else []
        batch = self._leases.fetch(order, count, first=cancel, drain=drain)
        self._drain_wait_lists = False
        if batch:
            self._put(batch)
        return len(batch)

    def _must_drain(self) -> bool:
        """Whether the private lists may hold jobs, now or by the time the next exchange is carried out."""
        return self._drain_wait_lists or self._waiter.armed

    def _put(self, units: Sequence[UnitOfWork]) -> None:
        self._buffered_at = time.monotonic()
        self._buffer.extend(units)
        self.activity.set()

    def _observe(self) -> None:
        now = time.monotonic()
        self._pace.observe(self.outbox.delivered, now - self._last_fetch)
        self._start_measuring(now)

    def _start_measuring(self, now: float) -> None:
        self._last_fetch = now
        self.outbox.delivered = 0

    def _sleep_until_work(self) -> UnitOfWork | None:
        """Wait until there is work. Returns a job if the wait has brought one that may run at once."""
        self._pace.forget()
        self._idle = True
        try:
            if self.outbox:
                self._leases.flush()
            self._wait()
        finally:
            self._idle = self._dry = False
            self._start_measuring(time.monotonic())
        moved = self._waiter.take_moved()
        if not moved:
            return None
        others_wait = self._free() > len(moved)
        if self._drain_wait_lists or self._waiter.unsure or (self._waiter.armed and not others_wait):
            # The queue may be paused now, or nobody else would go on waiting: then the moves still under way
            # have to be called off first. The fetch that does it brings the job, or puts it back.
            self._drain_wait_lists = True
            return None
        unit, *others = self._leases.adopt(moved)
        if others or self._free() == 1:
            self._put(others)  # also wakes the ticker, which sends the lease if no other thread will
        return unit

    def _wait(self) -> None:
        try:
            while not self._stopping.is_set() and not self._waiter.wait(self._leases.paused):
                self._leases.look_at_pauses(max_age_s=self._waiter.look_every_s)
        except RedisRefused as exc:
            # A full Redis refuses a blocking move but not a fetch: then ask again and again.
            if not self._refused:
                self._reporter.report(exc, {"context": "Redis refuses to wait for jobs, polling instead"})
            self._refused = True
            self._give_up_waiting()
            self._stopping.wait(OUTAGE_WAIT_S)

    def _obey_pauses(self) -> None:
        """Hand back what was fetched from queues that have been paused since."""
        failure, paused = self._leases.pauses_failure, self._leases.paused
        if failure and not self._pauses_failed:
            error = RedisError(f"The key `paused` should be a set of names of queues: {failure}")
            self._reporter.report(error, {"context": "Cannot see which queues are paused, so none is"})
        self._pauses_failed = bool(failure)
        if not paused or not any(unit.queue in paused for unit in tuple(self._buffer)):
            return
        units = self._empty_buffer()
        self._buffer.extendleft(unit for unit in reversed(units) if unit.queue not in paused)
        if self._stopping.is_set():
            self.hand_back_buffer()  # `quiet` may have found it empty
        self._leases.hand_back([unit for unit in units if unit.queue in paused])

    def _stand_down(self) -> None:
        """The process goes quiet: take no job any more that a fetch or a blocking move might still bring."""
        try:
            self.hand_back_buffer()
            self._end_moves()
            if self.outbox:
                self._leases.flush()  # there may be no further exchange to take it along
        except RedisError as exc:
            self._note_outage(exc)
            self._give_up_waiting()

    def _end_moves(self) -> None:
        """Call off the blocking moves, and hand back what they have brought."""
        while self._waiter.armed:
            self._drain_wait_lists = True
            self._leases.carry_out(self._waiter.cancel_ops())
            self._waiter.settle_cancelled()
        if self._drain_wait_lists:
            self._leases.reconcile(self._waiter.cancel_ops(), drain=True)
            self._drain_wait_lists = False

    def _flush_or_report(self) -> None:
        try:
            self._leases.flush()
        except RedisError as exc:
            self._note_outage(exc)

    # -- housekeeping ----------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether `tick` has anything to watch over."""
        return bool(self._buffer or self.outbox)

    def tick(self) -> None:
        """Send acknowledgements that wait, and hand back what has been buffered in vain."""
        now = time.monotonic()
        if now < self._next_try:
            return
        try:
            if self._waiter.overhear():
                self._leases.look_at_pauses()
                self._obey_pauses()
                self._waiter.wake()  # the leader may have gone to sleep with what it knew before
            if self._buffer and now - self._buffered_at > HAND_BACK_AFTER_S:
                self._pace.forget()
                self.hand_back_buffer()
            elif self.outbox:
                self._leases.flush()
            self._recovered()
        except Exception as exc:  # noqa: BLE001 - as in `_lead`, for the ticker
            self._note_outage(exc)

    def hand_back_buffer(self) -> None:
        """Give buffered jobs back to the head of their queues. Raises RedisError; they are given back later then."""
        units = self._empty_buffer()
        if units:
            self._leases.hand_back(units)

    def _empty_buffer(self) -> list[UnitOfWork]:
        """Take out what is buffered. Other threads may do so at the same time."""
        units: list[UnitOfWork] = []
        with suppress(IndexError):
            while True:
                units.append(self._buffer.popleft())
        return units

    def hand_back(self, units: Sequence[UnitOfWork]) -> None:
        """Give these jobs back unchanged to the head of their queues. Raises RedisError, as above."""
        self._leases.hand_back(units)

    def audit(self) -> None:
        """Compare our leases with those Redis knows, and hand back strays. Called at each heartbeat."""
        if self._stopping.is_set():
            self._audit_in_quiet()
        elif not self._down_since:  # else whoever gets through first reconciles
            self._leases.reconcile(drain=False)

    def _audit_in_quiet(self) -> None:
        """Nobody fetches any more, so nobody else looks again for what a broken exchange has left behind."""
        if not self._leader.acquire(blocking=False):
            return  # a thread is about to stand down
        try:
            self._drain_wait_lists = True
            self._end_moves()
            self._recovered()
        finally:
            self._leader.release()

    # -- the end ---------------------------------------------------------------------------------

    def quiet(self) -> None:
        """Fetch nothing more and wake every thread that waits for a job. Buffered jobs go back."""
        self._stopping.set()
        self._waiter.wake()
        try:
            self.hand_back_buffer()
        except RedisError as exc:
            self._note_outage(exc)

    def close(self) -> None:
        """Leave nothing behind: end blocking moves, empty the private lists, send the outbox.

        Raises RedisError if Redis cannot be told; then call it again, or the reaper finds what is left.
        """
        self._stopping.set()
        self._waiter.wake()
        with self._leader:
            self._waiter.close()
            self._leases.let_go(self._waiter.cancel_ops())

    # -- outages ---------------------------------------------------------------------------------

    def _note_outage(self, exc: BaseException) -> None:
        self._try_again_later()
        if not self._down_since:
            self._down_since = time.monotonic()
            self._reporter.report(exc, {"context": "Error fetching jobs"})

    def _note_refusal(self, exc: BaseException) -> None:
        """Redis would not carry out the outcome of a job. It stays in the outbox, and is said now and then."""
        self._try_again_later()
        now = time.monotonic()
        if now >= self._report_refusal_at:
            self._report_refusal_at = now + REPORT_REFUSAL_EVERY_S
            self._reporter.report(exc, {"context": "Redis refuses what became of a job; trying each second"})

    def _try_again_later(self) -> None:
        """The outbox may hold what nobody else would send: all threads may be busy, or asleep on idle queues."""
        self._next_try = time.monotonic() + OUTAGE_WAIT_S
        self.activity.set()

    def _bear_outage(self, exc: BaseException) -> None:
        self._note_outage(exc)
        self._give_up_waiting()
        self._stopping.wait(OUTAGE_WAIT_S)

    def _give_up_waiting(self) -> None:
        self._waiter.drop()
        self._drain_wait_lists = True  # a move may have brought a job, and the reply was lost

    def _recovered(self) -> None:
        if self._down_since:
            log.info("Redis is back, %.1f s of downtime", time.monotonic() - self._down_since)
            self._down_since = 0.0
