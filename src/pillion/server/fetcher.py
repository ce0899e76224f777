"""Fetcher: brings jobs into this process and carries the news of finished ones out, in batches.

Design record
- *Who fetches.* There is no fetching thread. A thread that needs a job and finds the buffer empty
  takes the leader lock and fetches for all. The others queue up behind that lock: the first gets it
  when the leader has its job, sees the buffer, takes one and lets the next through. So threads wake
  one after the other, only while there is work, and a leader that waited on idle queues runs the
  job itself: no hand-over stands between a push and its run.
- *Where a job is.* Redis moves it from its queue into this process's in-flight hash before it is
  sent here; `held` is this process's copy of that hash. A lease leaves both when its outcome was
  carried out. After a broken exchange the two can differ, in one direction only: Redis may list
  leases whose reply was lost. `_reconcile` hands those back.
- *Who tells Redis.* The next exchange, whichever it is, carries the outbox. When every thread is
  busy with a long job there is no next exchange, so `tick` sends it; when the leader is asleep on
  idle queues, the thread that finished sends it itself.
- *Locks.* `_leader` is held while fetching and while idle, `_line` around one exchange. A thread
  never takes `_leader` while it holds `_line`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pillion.errors import RedisError, RedisRefused
from pillion.server.outbox import Outbox
from pillion.server.prefetch import HAND_BACK_AFTER_S, MAX_BYTES, Pace
from pillion.server.reporter import Reporter
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

log = logging.getLogger("pillion")

OUTAGE_WAIT_S = 1.0


class Line(Protocol):
    """The way to Redis: `storage.link.Link`."""

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send all at once; an op's error is its result. Raises RedisError if the line broke."""
        ...

    def post(self, ops: Sequence[Op[Any]]) -> None:
        """Send and do not wait: the results come first in the next exchange."""
        ...


class Waiter(Protocol):
    """How to sleep until there is work: `storage.queue_wait.QueueWait` or `storage.queue_poll.QueuePoll`."""

    @property
    def armed(self) -> bool:
        """Whether a blocking move is under way."""
        ...

    def wait(self) -> bool:
        """Sleep; True if there is work, False if woken or timed out. Raises RedisError."""
        ...

    def take_moved(self) -> list[tuple[work.Route, bytes]]:
        """The jobs that a wait has brought into private lists, each once."""
        ...

    def wake(self) -> None:
        """Make `wait` return, from any thread."""
        ...

    def cancel_ops(self) -> list[Op[Any]]:
        """Ops that end every blocking move under way."""
        ...

    def settle_cancelled(self) -> bool:
        """After `cancel_ops` was carried out: True once no move is under way."""
        ...

    def drop(self) -> None:
        """Give up all connections."""
        ...

    def close(self) -> None:
        """Give up everything for good."""
        ...


class Fetcher:
    """The jobs of one capsule on their way in and out.

    `take` and `outbox` are for the threads that run jobs; `tick` for a thread that calls it every
    10 ms while `is_active`; `quiet`, `hand_back` and `close` for the manager.
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
    ) -> None:
        self._routes = {route.queue: route for route in routes}
        self._route_list = list(routes)
        self._order = order
        self._line_to_redis = line
        self._waiter = waiter
        self._threads = threads
        self._reporter = reporter
        self.held: dict[int, UnitOfWork] = {}
        self.outbox = Outbox(routes, self.held)
        self.activity = threading.Event()
        self._buffer: deque[UnitOfWork] = deque()
        self._buffered_at = 0.0
        self._leader = threading.Lock()
        self._line = threading.Lock()
        self._next_token = 1
        self._hungry: set[int] = set()  # ids of the threads without a job
        self._pace = Pace()
        self._last_fetch = 0.0
        self._idle = False
        self._dry = False  # the last fetch got less than it asked for: sleep before the next
        self._drain_wait_lists = False  # jobs may lie in the private lists
        self._unsure = False  # Redis may know of leases that we do not
        self._refused = False
        self._down_since = 0.0
        self._next_try = 0.0
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

    def _lead(self) -> UnitOfWork | None:
        while not self._stopping.is_set():
            try:
                if self._buffer or (not self._dry and self._fetch()):
                    return self._buffer.popleft()
                self._sleep_until_work()
            except IndexError:
                continue  # `tick` or another thread was quicker
            except RedisError as exc:
                self._bear_outage(exc)
        self._stand_down()
        return None

    # -- fetching --------------------------------------------------------------------------------

    def _fetch(self) -> bool:
        """One round trip: what is finished goes out, new jobs come in. True if some came."""
        order = [self._route_list[index] for index in self._order()]
        count = self._pace.batch(free=len(self._hungry), threads=self._threads)
        with self._line:
            if self._unsure:
                self._reconcile(self._waiter.cancel_ops())
            batch = self._lease(order, count)
            if self._waiter.armed and not self._waiter.settle_cancelled():
                batch += self._lease_latecomers(order)
        self._recovered()
        self._dry = len(batch) < count
        if not batch:
            return False
        self._buffered_at = time.monotonic()
        self._buffer.extend(batch)
        self.activity.set()
        return True

    def _lease(self, routes: Sequence[work.Route], count: int) -> list[UnitOfWork]:
        drain = self._drain_wait_lists or self._waiter.armed
        cancel = self._waiter.cancel_ops() if drain else []
        fetch = work.fetch(
            routes, count=count, max_bytes=MAX_BYTES, first_token=self._next_token, drain_wait_lists=drain
        )
        self._unsure = True  # until the reply is here, Redis may know of leases that we do not
        found = self._exchange([*cancel, fetch])[-1]
        self._unsure = False
        self._observe()
        if isinstance(found, BaseException):
            raise found
        self._drain_wait_lists = False
        leased: list[tuple[int, list[bytes]]] = found
        return self._hold([(routes[index].queue, payloads) for index, payloads in leased])

    def _hold(self, found: Sequence[tuple[str, list[bytes]]]) -> list[UnitOfWork]:
        """Note the leases of the payloads found in each queue; the tokens count up."""
        token = self._next_token
        units: list[UnitOfWork] = []
        for queue, payloads in found:
            for payload in payloads:
                units.append(UnitOfWork(queue, token, payload))
                token += 1
        self._next_token = token
        self.held.update((unit.token, unit) for unit in units)
        return units

    def _lease_latecomers(self, routes: Sequence[work.Route]) -> list[UnitOfWork]:
        """A blocking move that was still on its way when we cancelled it may have moved a job since."""
        late: list[UnitOfWork] = []
        while True:
            self._drain_wait_lists = True
            late += self._lease(routes, 0)
            if self._waiter.settle_cancelled():
                return late

    def _observe(self) -> None:
        now = time.monotonic()
        self._pace.observe(self.outbox.delivered, now - self._last_fetch)
        self._start_measuring(now)

    def _start_measuring(self, now: float) -> None:
        self._last_fetch = now
        self.outbox.delivered = 0

    def _sleep_until_work(self) -> None:
        self._pace.forget()
        self._idle = True
        try:
            if self.outbox:
                self.flush()
            self._wait()
        finally:
            self._idle = self._dry = False
            self._start_measuring(time.monotonic())
        moved = self._waiter.take_moved()
        if moved and not self._drain_wait_lists and (len(self._hungry) > len(moved) or not self._waiter.armed):
            self._adopt(moved)
        elif moved:
            # Nobody else would go on waiting: the moves still under way have to be called off first.
            self._drain_wait_lists = True

    def _wait(self) -> None:
        try:
            while not self._stopping.is_set() and not self._waiter.wait():
                pass
        except RedisRefused as exc:
            # A full Redis refuses a blocking move but not a fetch: then ask again and again.
            if not self._refused:
                self._reporter.report(exc, {"context": "Redis refuses to wait for jobs, polling instead"})
            self._refused = True
            self._give_up_waiting()
            self._stopping.wait(OUTAGE_WAIT_S)

    def _adopt(self, moved: Sequence[tuple[work.Route, bytes]]) -> None:
        """Run what the blocking moves brought, without a round trip first: it is safe where it is.

        The lease is on its way before the job begins, and is sent again if the line should break.
        """
        units = self._hold([(route.queue, [payload]) for route, payload in moved])
        with self._line:
            for (route, payload), unit in zip(moved, units, strict=True):
                self.outbox.enclose(work.adopt(route, unit.token, payload))
            self._post()
        self._buffered_at = time.monotonic()
        self._buffer.extend(units)
        self.activity.set()

    def _stand_down(self) -> None:
        """The process goes quiet: take no job any more that a blocking move might still bring."""
        try:
            with self._line:
                while self._waiter.armed:
                    self._exchange(self._waiter.cancel_ops())
                    if self._waiter.settle_cancelled():
                        self._reconcile()
        except RedisError as exc:
            self._note_outage(exc)
            self._waiter.drop()

    # -- the line to Redis ------------------------------------------------------------------------

    def flush(self) -> None:
        """Tell Redis now what has been decided. Raises RedisError if it cannot be told."""
        with self._line:
            self._exchange([])

    def _flush_or_report(self) -> None:
        try:
            self.flush()
        except RedisError as exc:
            self._note_outage(exc)

    def _exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send the outbox and `ops` in one packet; return the results of `ops`. `_line` is held."""
        packed = self.outbox.pack()
        try:
            replies = self._line_to_redis.exchange([*(parcel.op for parcel in packed), *ops])
        except BaseException:
            self.outbox.not_sent()
            raise
        parcels = [*self.outbox.in_transit, *packed]
        errors = self.outbox.sent(parcels, replies[: len(parcels)])
        if errors:
            self._note_outage(errors[0])
        return replies[len(parcels) :]

    def _post(self) -> None:
        """Send the outbox, and leave the replies to the next exchange. `_line` is held."""
        try:
            self._line_to_redis.post([parcel.op for parcel in self.outbox.pack()])
        except BaseException:
            self.outbox.not_sent()
            raise
        self.outbox.posted()

    def _reconcile(self, first: Sequence[Op[Any]] = ()) -> None:
        """Carry out `first`, then hand back what Redis counts as ours and we do not hold. `_line` is held."""
        held: dict[str, list[int]] = {queue: [] for queue in self._routes}
        for unit in list(self.held.values()):
            held[unit.queue].append(unit.token)
        strays = [work.reconcile(route, held[queue]) for queue, route in self._routes.items()]
        replies = self._exchange([*first, *strays])[len(first) :]
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        if any(replies):
            log.warning("Handed back %d jobs whose fetch was cut off on the way here", sum(replies))
        self._unsure = False

    def audit(self) -> None:
        """Compare our leases with those Redis knows, and hand back strays. Called at each heartbeat."""
        if self._down_since:
            return  # whoever gets through first reconciles
        with self._line:
            self._reconcile()

    # -- housekeeping ----------------------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether `tick` has anything to watch over."""
        return bool(self._buffer or self.outbox)

    def tick(self) -> None:
        """Send acknowledgements that wait, and hand back what has been buffered in vain."""
        now = time.monotonic()
        if self._down_since and now < self._next_try:
            return
        try:
            if self._buffer and now - self._buffered_at > HAND_BACK_AFTER_S:
                self._pace.forget()
                self.hand_back_buffer()
            elif self.outbox:
                self.flush()
            self._recovered()
        except RedisError as exc:
            self._note_outage(exc)

    def hand_back_buffer(self) -> None:
        """Give buffered jobs back to the head of their queues. Raises RedisError; then they stay here."""
        units: list[UnitOfWork] = []
        try:
            while True:
                units.append(self._buffer.popleft())
        except IndexError:
            pass
        try:
            self.hand_back(units)
        except RedisError:
            self._buffer.extendleft(reversed(units))
            raise

    def hand_back(self, units: Sequence[UnitOfWork]) -> None:
        """Give jobs back unchanged to the head of their queues, after telling what is finished."""
        if not units:
            return
        tokens: dict[str, list[int]] = {}
        for unit in units:
            tokens.setdefault(unit.queue, []).append(unit.token)
        with self._line:
            replies = self._exchange([work.give_back(self._routes[queue], group) for queue, group in tokens.items()])
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        for unit in units:
            self.held.pop(unit.token, None)

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

        Raises RedisError if Redis cannot be told; then the reaper finds what is left.
        """
        self._stopping.set()
        self._waiter.wake()
        with self._leader:
            with self._line:
                self._exchange([])
                # Whatever is still held now was not settled (its thread is stuck or failed): back with it.
                self.held.clear()
                self._waiter.drop()
                self._reconcile(self._waiter.cancel_ops())
            self._waiter.close()

    # -- outages ---------------------------------------------------------------------------------

    def _note_outage(self, exc: BaseException) -> None:
        self._next_try = time.monotonic() + OUTAGE_WAIT_S
        if not self._down_since:
            self._down_since = time.monotonic()
            self._reporter.report(exc, {"context": "Error fetching jobs"})

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
