"""Fetcher: brings jobs into this process and carries the news of finished ones out, in batches.

Design record
- *Who fetches.* There is no fetching thread. A thread that needs a job and finds the buffer empty
  takes the leader lock and fetches for all. The others queue up behind that lock: the first gets it
  when the leader has its job, sees the buffer, takes one and lets the next through. So threads wake
  one after the other, only while there is work, and a leader that waited on idle queues runs the
  job itself: no hand-over stands between a push and its run (but that of an async job to the loop).
- *Fetching ahead.* While there is more than one batch, the thread that finds the buffer low does not take from it
  but fetches, and the others go on with what is left (`prefetch`, `turn`). So nobody waits for Redis, and the
  leader lock has nothing to do with it: who waits for that one is woken by whoever needs a job next.
- *Who tells Redis.* The next exchange, whichever it is, carries the outbox. When every thread is
  busy with a long job there is no next exchange, so `tick` sends it; when the leader is asleep on
  idle queues, the thread that finished sends it itself. What ends on the event loop sets `activity`.
- *Who looks at the pauses.* Each fetch does, inside Redis. The waiter hears of a pause while the leader
  sleeps, and sends it fetching; else `tick` hears of it while there are jobs in the buffer.
- *Locks.* `_leader` is held while idle, and by the one who fetches for an empty buffer. The turn is taken by who
  fetches, and who must not be disturbed by one; nobody takes the lock while it is his turn. `Leases` has a lock of its
  own around each exchange, and knows nothing of these.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from pillion.errors import RedisError, RedisRefused
from pillion.server.leases import Leases, Line
from pillion.server.outage import OUTAGE_WAIT_S, Outage
from pillion.server.prefetch import HAND_BACK_AFTER_S, MAX_BYTES, Pace
from pillion.server.reporter import Reporter
from pillion.server.turn import Turn
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.waiter import Waiter


class Fetcher:
    """The jobs of one capsule on their way in and out.

    `take` and `outbox` are for the threads that run jobs; `tick` for a thread that calls it every
    10 ms while `is_active`; `quiet`, `hand_back` and `close` for the manager. `spare` says how many jobs
    could be started beside those of the threads that wait here: there is a thread, or will be, to take them.
    `takers` says how many threads there are now: async jobs need only one. Without it, as many as `threads`.
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
        takers: Callable[[], int] | None = None,
    ) -> None:
        self._routes = routes
        self._order = order
        self._waiter = waiter
        self._threads = threads
        self._reporter = reporter
        self._spare = spare
        self._takers = takers or (lambda: threads)
        self.activity = threading.Event()
        # The outbox may hold what nobody else would send: all threads may be busy, or asleep on idle queues.
        self._outage = Outage(reporter, self.activity.set)
        self._leases = Leases(routes, line, self._outage.note_refusal)
        self.outbox = self._leases.outbox
        self.one_at_a_time = False  # fetch nothing ahead: see `Manager.be_cautious`
        self._buffer: deque[UnitOfWork] = deque()
        self._buffered_at = 0.0
        self._low = 0  # with fewer jobs in the buffer the next fetch is due
        self._leader = threading.Lock()
        self._turn = Turn()
        self._hungry: set[int] = set()  # ids of the threads without a job
        self._pace = Pace()
        self._last_fetch = 0.0
        self._idle = False
        self._dry = False  # the last fetch got less than it asked for: sleep before the next
        self._cut_short = False  # the last exchange brought as many bytes as it may: there may be more jobs
        self._drain_wait_lists = False  # jobs may lie in the private lists
        self._refused = False
        self._pauses_failed = False
        self._stopping = threading.Event()

    # -- for the threads that run jobs -----------------------------------------------------------

    def take(self) -> UnitOfWork | None:
        """The next job, as soon as there is one. None: the process is going quiet."""
        if len(self._buffer) < self._low:
            self._fetch_ahead()
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
                if self._buffer or self._fetch():
                    if self._stopping.is_set():
                        break  # they came too late: `_stand_down` hands them back
                    with suppress(IndexError):  # `tick` or another thread was quicker
                        return self._buffer.popleft()
                    continue
                unit = self._sleep_until_work()
                if unit is not None:
                    if not self._stopping.is_set():
                        return unit
                    self._leases.hand_back([unit])  # pushed while the process went quiet
            except Exception as exc:  # noqa: BLE001 - also a bug: it must not cost the process its threads
                self._bear_outage(exc)
        self._stand_down()
        return None

    # -- fetching --------------------------------------------------------------------------------

    def _fetch(self) -> bool:
        """For the leader: fetch, or wait for what another thread is fetching. False if it is time to sleep.

        That is only after a dry fetch: then nobody fetches ahead, and nobody else touches the waiter.
        """
        if not self._turn.take_unless(lambda: self._buffer or self._dry):
            return not self._dry or bool(self._buffer)  # not dry: other threads were quicker, but there is more
        try:
            return self._fetch_batch()
        finally:
            self._turn.end()

    def _fetch_ahead(self) -> None:
        """Fetch while the other threads go on with what is buffered, unless somebody else does."""
        if not self._turn.take_if(lambda: self._low and not self._stopping.is_set()):
            return
        try:
            self._fetch_batch()
            if self._stopping.is_set():
                self.hand_back_buffer()  # `quiet` may have found it empty
        except Exception as exc:  # noqa: BLE001 - as in `_lead`, but what is buffered need not wait
            self._outage.note(exc)
            self._give_up_waiting()
        finally:
            self._turn.end()

    def _fetch_batch(self) -> bool:
        """Bring in what the free threads and the prefetch can take. False if there is nothing. It is our turn."""
        self._low = 0  # the others go on with what there is
        began_s = time.monotonic()
        order = [self._routes[index] for index in self._order()]
        count = self._wanted()
        if not count:
            return True  # there is enough; a leader finds that if `tick` has just put back what is not paused
        leased = self._lease(order, count)
        self._pace.took(time.monotonic() - began_s)
        self._observe()
        while self._waiter.armed:
            # A move that was still on its way when it was called off may have brought a job after that.
            self._drain_wait_lists |= self._waiter.settle_cancelled()
            if self._must_drain():
                leased += self._lease(order, 0)
        self._obey_pauses()
        self._outage.over()
        self._dry = leased < count and not self._cut_short
        if not self._dry and not self.one_at_a_time:
            self._low = self._pace.low(threads=self._threads, takers=self._takers())
        return leased > 0

    def _wanted(self) -> int:
        if self.one_at_a_time:
            return 0 if self._buffer else 1
        return self._pace.batch(free=self._free(), threads=self._threads, buffered=len(self._buffer))

    def _lease(self, order: Sequence[work.Route], count: int) -> int:
        """One exchange. What it brings is in the buffer at once, whatever becomes of the next exchange."""
        drain = self._must_drain()
        cancel = self._waiter.cancel_ops() if drain else []
        batch = self._leases.fetch(order, count, first=cancel, drain=drain)
        self._drain_wait_lists = False
        self._cut_short = 0 < len(batch) < count and sum(len(unit.raw) for unit in batch) >= MAX_BYTES
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
            self._outage.note(exc)
            with self._turn.alone():  # a fetch ahead may just have failed as well, and be giving up too
                self._give_up_waiting()

    def _end_moves(self) -> None:
        """Call off the blocking moves, and hand back what they have brought."""
        with self._turn.alone():
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
            self._outage.note(exc)

    # -- housekeeping ----------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether `tick` has anything to watch over."""
        return bool(self._buffer or self.outbox)

    def tick(self) -> None:
        """Send acknowledgements that wait, and hand back what has been buffered in vain."""
        if self._outage.is_too_early:
            return
        try:
            if self._waiter.overhear():
                self._leases.look_at_pauses()
                self._obey_pauses()
                self._waiter.wake()  # the leader may have gone to sleep with what it knew before
            if self._buffer and time.monotonic() - self._buffered_at > HAND_BACK_AFTER_S:
                self._pace.forget()
                self.hand_back_buffer()
            elif self.outbox:
                self._leases.flush()
            self._outage.over()
        except Exception as exc:  # noqa: BLE001 - as in `_lead`, for the ticker
            self._outage.note(exc)

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
        elif not self._outage.is_on:  # else whoever gets through first reconciles
            self._leases.reconcile(drain=False)

    def _audit_in_quiet(self) -> None:
        """Nobody fetches any more, so nobody else looks again for what a broken exchange has left behind."""
        if not self._leader.acquire(blocking=False):
            return  # a thread is about to stand down
        try:
            self._drain_wait_lists = True
            self._end_moves()
            self._outage.over()
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
            self._outage.note(exc)

    def close(self) -> None:
        """Leave nothing behind: end blocking moves, empty the private lists, send the outbox.

        Raises RedisError if Redis cannot be told; then call it again, or the reaper finds what is left.
        """
        self._stopping.set()
        self._waiter.wake()
        with self._leader, self._turn.alone():
            self._waiter.close()
            self._leases.let_go(self._waiter.cancel_ops())

    # -- outages ---------------------------------------------------------------------------------

    def _bear_outage(self, exc: BaseException) -> None:
        self._outage.note(exc)
        self._give_up_waiting()
        self._stopping.wait(OUTAGE_WAIT_S)

    def _give_up_waiting(self) -> None:
        self._waiter.drop()
        self._drain_wait_lists = True  # a move may have brought a job, and the reply was lost
