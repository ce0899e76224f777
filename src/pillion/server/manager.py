"""Manager: one capsule at work: its threads, its jobs on the event loop, its fetcher, and how they end.

Stopping (behaviour.md 6.3): quiet at once; wait for running jobs until the deadline; then hand the
unfinished back unchanged, and only then interrupt them: better a job runs twice than not at all.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from pillion.config import Capsule
from pillion.errors import DecodeError, RedisError
from pillion.log import JobLog, tid
from pillion.server.async_runs import AsyncRuns, Ends
from pillion.server.caution import CAUTIOUS_S, Caution, Crew
from pillion.server.fetcher import Fetcher
from pillion.server.give_back import recovery_key
from pillion.server.judgement import Judgement
from pillion.server.lane import Lane
from pillion.server.observers import Observers
from pillion.server.outcome import Broken
from pillion.server.processor import Isolator, Processor
from pillion.server.queue_order import queue_order
from pillion.server.retry import RetryPolicy
from pillion.server.runtime import Runtime
from pillion.server.settlement import Settlement
from pillion.server.slot import Slot, WorkEntry
from pillion.server.slot_pool import SlotPool
from pillion.server.staff import Post, Staff
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.control import Control
from pillion.storage.link import Link
from pillion.storage.ops import reap, work
from pillion.storage.ops.work import Route
from pillion.storage.queue_poll import QueuePoll
from pillion.storage.queue_wait import QueueWait
from pillion.storage.waiter import Waiter
from pillion.wire.codec import loads_job

log = logging.getLogger("pillion")

MAX_BLOCKING_QUEUES = 16
BLOCK_S = 5.0
TICK_S = 0.010
GOODBYE_AGAIN_S = 0.2
INTERRUPT_GRACE_S = 1.5  # less than the launcher waits beyond the deadline, so that `close` is not cut short
LEAVE_S = 0.5


class Manager:
    """A Service that runs the jobs of one capsule.

    Parameters: `caution` and `lane` are what the capsules of a process share; without them this one has its
    own. `isolator` is the way to child processes, for jobs that want one.
    """

    def __init__(
        self,
        runtime: Runtime,
        capsule: Capsule,
        caution: Caution | None = None,
        lane: Lane | None = None,
        isolator: Isolator | None = None,
    ) -> None:
        self._runtime = runtime
        self._capsule = capsule
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._deadline_s = math.inf
        settling = work.settle_script(runtime.config.named_steps)
        storage = runtime.storage
        self._link = Link(storage.link_connection, storage.explain, work.hot_scripts(settling))
        routes = [Route.of(queue.name, runtime.identity) for queue in capsule.queues]
        self._slots = [Slot(self._stopping.is_set) for _ in range(capsule.concurrency)]
        self._pool = SlotPool(self._slots)
        self._fetcher = self._make_fetcher(routes)
        self._settlement = Settlement(
            runtime.config, {route.queue: route for route in routes}, self._fetcher.outbox, runtime.reporter
        )
        self._lane = lane or Lane(runtime.config.event_loop)
        self._owns_lane = lane is None
        self._processor = self._make_processor(isolator)
        self._staff = self._make_staff()
        self._cautious = False
        self._caution = caution or Caution(storage)
        self._caution.watch(Crew(self.busy, self._stand_back))
        self._ending = threading.Lock()

    def _make_fetcher(self, routes: Sequence[Route]) -> Fetcher:
        return Fetcher(
            routes,
            queue_order(self._capsule.queues, self._capsule.mode, random.Random()),
            line=self._link,
            waiter=self._make_waiter(routes),
            threads=self._capsule.concurrency,
            reporter=self._runtime.reporter,
            spare=lambda: self._pool.free,
            takers=lambda: len(self._staff),
        )

    def _make_waiter(self, routes: Sequence[Route]) -> Waiter:
        storage = self._runtime.storage
        control = Control(storage.link_connection, [route.queue for route in routes])
        if len(routes) > MAX_BLOCKING_QUEUES:
            return QueuePoll(self._link.ask, routes, control=control)
        return QueueWait(
            storage.link_connection,
            storage.explain,
            routes,
            timeout_s=BLOCK_S,
            give_up=self._link.give_up,
            control=control,
        )

    def _make_processor(self, isolator: Isolator | None) -> Processor:
        config, reporter, find = self._runtime.config, self._runtime.reporter, self._runtime.registry.find
        policy = RetryPolicy(config.max_retries, config.backtrace_cleaner, reporter.report, random.Random())
        judgement = Judgement(find, policy)
        chain = self._capsule.server_middleware or config.server_middleware
        job_log = JobLog(log, config)
        observers = Observers(config.observers, reporter.report)
        ends = Ends(self._settlement.settle, self._end_async)
        async_runs = AsyncRuns(self._lane, chain, job_log, judgement, observers, ends)
        return Processor(find, chain, job_log, judgement, observers, async_runs, isolator)

    def _make_staff(self) -> Staff:
        name, most = f"pillion.{self._capsule.name}.processor", len(self._slots)
        staff = Staff(self._pool, self._work, name=name, most=most)
        for slot in self._slots:
            slot.watch(staff)
        return staff

    def be_cautious(self) -> None:
        """Before `start`: the process before this one crashed, and its job may be the next again.

        What runs beside it would be counted with it. So it runs one job at a time, until one
        has ended that did not come from a dead process, or for CAUTIOUS_S. That is only the beginning:
        the killer may come later, and elsewhere. From its second recovery on `Caution` has an eye on it.
        """
        self._cautious = self._fetcher.one_at_a_time = True
        self._pool.hold_back(all_but=1)
        self._caution.warn()

    # -- a Service -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the first thread. It starts others as they are needed."""
        if len(self._staff) or self._stopping.is_set():
            return
        self._staff.start()
        name = self._capsule.name
        if self._cautious:
            log.info("The process before this one crashed: capsule %s begins with one job at a time", name)
            timer = threading.Timer(CAUTIOUS_S, self._end_of_caution)
            timer.name = f"pillion.{name}.caution"
            timer.daemon = True
            timer.start()
        threading.Thread(target=self._tick, name=f"pillion.{name}.ticker", daemon=True).start()

    def quiet(self) -> None:
        """Fetch nothing more; buffered jobs go back at once, running ones go on."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._pool.close()
            self._fetcher.quiet()

    def stop(self, deadline_s: float) -> None:
        """Let running jobs end until `deadline_s` (monotonic), then hand back and interrupt the rest."""
        self._deadline_s = min(self._deadline_s, deadline_s)
        self.quiet()
        if self._pool.wait_for_all(deadline_s) or self._stop_hard():
            self._staff.join(max(deadline_s, time.monotonic() + LEAVE_S))
        with self._ending:
            if self._closed.is_set():
                return
            self._closed.set()
        self._fetcher.activity.set()
        self._say_goodbye()
        self._link.close()
        if self._owns_lane:
            self._lane.stop(max(deadline_s, time.monotonic() + LEAVE_S))

    # -- for the heartbeat -----------------------------------------------------------------------

    def work(self) -> list[WorkEntry]:
        """The jobs running now."""
        return [entry for slot in self._slots if (entry := slot.work()) is not None]

    def busy(self) -> int:
        """How many jobs run now."""
        return sum(slot.unit is not None for slot in self._slots)

    def audit(self) -> None:
        """Compare our leases with those Redis knows. Raises RedisError."""
        if not self._closed.is_set():
            self._fetcher.audit()

    # -- inside ----------------------------------------------------------------------------------

    def _end_of_caution(self) -> None:
        self._cautious = self._fetcher.one_at_a_time = False
        self._pool.release()
        self._staff.look()

    def _stand_back(self) -> None:
        """Hand back what was fetched ahead: a job is to run alone."""
        with self._reporting("Could not hand back what was fetched ahead"):
            self._fetcher.hand_back_buffer()

    def _may_start(self, unit: UnitOfWork, slot: Slot) -> bool:
        """Whether a cautious process may start this job now. If not it is handed back."""
        slot.started_at = time.time()  # it is seen as running from its admission on
        if self._caution.admit(unit, slot, self._stopping):
            return True
        self._stand_back()  # what came together with it; first, for it was the next
        with self._reporting("Could not hand back a job that must not run beside another"):
            self._fetcher.hand_back([unit])
        self._caution.wait(self._stopping)
        return False

    def _note_end(self, unit: UnitOfWork, slot: Slot) -> None:
        """A cautious process has lived through this job."""
        if slot.interrupted:
            return  # it was handed back, and has yet to show how it ends
        with self._reporting("Could not look after jobs that came from a dead process"):
            self._caution.ended(unit, slot)
            if self._cautious and not self._runtime.storage.run(reap.was_recovered(recovery_key(unit.raw))):
                self._end_of_caution()

    @contextmanager
    def _reporting(self, context: str) -> Generator[None]:
        try:
            yield
        except RedisError as exc:
            self._runtime.reporter.report(exc, {"context": context})

    def _work(self, post: Post) -> None:
        """The life of one thread: take a job, attempt it, settle it."""
        slot, me = post.slot, (threading.get_ident(), tid())
        slot.bind(*me)
        take, attempt, settle, now_s = self._fetcher.take, self._processor.attempt, self._settlement.settle, time.time
        caution = self._caution
        while (unit := take()) is not None:
            if caution.on and not self._may_start(unit, slot):
                continue
            slot.started_at = now_s()
            slot.unit = unit
            try:
                settled = settle(unit, attempt(unit, slot))
            except BaseException as exc:  # noqa: BLE001 - a bug of ours or of a handler: the thread must live on
                settled = settle(unit, Broken(exc))
            if not settled:  # it goes on upon the event loop, and has taken the slot along
                post.leave_slot()
                following = self._pool.take()
                if following is None:
                    self._fetcher.leave()
                    return
                slot = post.slot = following
                slot.bind(*me)
                continue
            slot.unit = None
            if caution.on:
                self._note_end(unit, slot)
        self._pool.give(slot)

    def _end_async(self, unit: UnitOfWork, slot: Slot) -> None:
        """A job on the event loop has been settled: what a thread does after its job."""
        slot.unit = None
        if self._caution.on:
            self._lane.aside(self._end_async_cautiously, unit, slot)
        else:
            self._put_back(slot)

    def _end_async_cautiously(self, unit: UnitOfWork, slot: Slot) -> None:
        try:
            self._note_end(unit, slot)
        finally:
            self._put_back(slot)

    def _put_back(self, slot: Slot) -> None:
        self._pool.give(slot)
        self._staff.look()
        # No thread may come by soon that takes along what is in the outbox.
        if not self._fetcher.activity.is_set():
            self._fetcher.activity.set()

    def _tick(self) -> None:
        """Watch over acknowledgements and buffered jobs while there are any."""
        fetcher = self._fetcher
        while not self._closed.is_set():
            fetcher.activity.wait()
            while fetcher.is_active and not self._closed.wait(TICK_S):
                fetcher.tick()
            fetcher.activity.clear()
            if fetcher.is_active:
                fetcher.activity.set()

    def _say_goodbye(self) -> None:
        """Leave Redis in order. While it is away and a finished job would run again, try until the deadline."""
        while True:
            try:
                return self._fetcher.close()
            except RedisError as exc:
                if not self._fetcher.outbox or time.monotonic() + GOODBYE_AGAIN_S > self._deadline_s:
                    context = {"context": "Leaving without a word to Redis; the reaper cleans up"}
                    return self._runtime.reporter.report(exc, context)
            time.sleep(GOODBYE_AGAIN_S)

    def _stop_hard(self) -> bool:
        """Hand back what still runs and interrupt it. Returns whether all of it has ended then."""
        units = [unit for slot in self._slots if (unit := slot.unit) is not None]
        names = ", ".join(describe(unit.raw) for unit in units)
        for slot in self._slots:
            slot.condemn()  # Redis may hang, and the loop ends in time
        if units:
            log.warning("Shutdown deadline: handing back %d unfinished jobs: %s", len(units), names)
        try:
            self._fetcher.hand_back(units)
        except RedisError as exc:
            self._runtime.reporter.report(exc, {"context": "Could not hand back unfinished jobs; the reaper will"})
        for slot in self._slots:
            slot.interrupt()
        return self._pool.wait_for_all(time.monotonic() + INTERRUPT_GRACE_S)


def describe(raw: bytes) -> str:
    """A running job in the log: its class and jid."""
    try:
        job = loads_job(raw)
    except DecodeError:
        return repr(raw[:80])
    return f"{job.get('wrapped') or job.get('class')} {job.get('jid')}"
