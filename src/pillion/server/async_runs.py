"""AsyncRuns: the async jobs of one capsule, from the hand-over by a thread until they are settled.

It is the twin of `Processor` and of the loop around it, for the event loop. Two things differ:

- A job keeps the slot it was taken with, and gives it back at its end.
- Only a job that ended well is settled on the loop: that is one entry in a list. What else becomes of a job may call
  hooks and handlers of the application, which may block, so it happens aside.

Nothing is awaited once the job's own code has ended. So a cancellation that comes late finds nothing to cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pillion.definition.registry import JobDefinition
from pillion.definition.time_limit import timeout_s
from pillion.errors import Interrupted, Shutdown
from pillion.log import JobLog, adopt, running_payload, tid
from pillion.log.facts import TASK_TID
from pillion.middleware import ServerChain
from pillion.server.judgement import Judgement, was_cut_off
from pillion.server.lane import Lane
from pillion.server.observers import Observers
from pillion.server.outcome import DONE, RUNNING, Broken, Outcome
from pillion.server.processor import arguments
from pillion.server.slot import Slot
from pillion.server.time_limit import within
from pillion.server.unit_of_work import UnitOfWork


@dataclass(slots=True, frozen=True)
class Ends:
    """What is done about a job that has ended: `settle` carries out its outcome, `give_back` takes back its slot."""

    settle: Callable[[UnitOfWork, Outcome], object]
    give_back: Callable[[UnitOfWork, Slot], None]


class AsyncRun:
    """One job on the loop; a `lane.Ride`. Its context is empty at first: no job sees what another one has set."""

    __slots__ = ("_runs", "context", "definition", "payload", "slot", "task", "unit")

    def __init__(
        self, runs: AsyncRuns, unit: UnitOfWork, payload: dict[str, Any], definition: JobDefinition, slot: Slot
    ) -> None:
        self._runs = runs
        self.unit = unit
        self.payload = payload
        self.definition = definition
        self.slot = slot
        self.context = Context()
        self.task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The job class."""
        return _name(self.payload)

    @property
    def detail(self) -> str:
        """The jid."""
        return str(self.payload.get("jid"))

    def go(self) -> Coroutine[Any, Any, None]:
        """Run it to its end."""
        return self._runs.live(self)

    def cancel(self) -> None:
        """Interrupt it; from any thread."""
        self._runs.cancel(self)


class AsyncRuns:
    """The async jobs of one capsule. `begin` and `wait_for` are for threads, the rest happens on the lane."""

    def __init__(
        self,
        lane: Lane,
        chain: ServerChain,
        job_log: JobLog,
        judgement: Judgement,
        observers: Observers,
        ends: Ends,
    ) -> None:
        self._lane = lane
        self._chain = chain
        self._log = job_log
        self._judgement = judgement
        self._observers = observers
        self._ends = ends

    # -- from threads ------------------------------------------------------------------------------

    def begin(self, unit: UnitOfWork, payload: dict[str, Any], definition: JobDefinition, slot: Slot) -> Outcome:
        """Hand a job over to the loop, with its slot. Raises Shutdown if that has been stopped."""
        slot.tid = slot.loop_tid = slot.loop_tid or self._lane.new_tid()
        self._lane.submit(AsyncRun(self, unit, payload, definition, slot))
        return RUNNING

    def wait_for(self, awaitable: Awaitable[Any], slot: Slot) -> Any:
        """Have the loop await what a job in this thread has returned, and wait for that. Raises what it raises."""
        errand = _Errand(self._lane, awaitable, running_payload() or {})
        self._lane.submit(errand)
        try:
            with slot.waiting(errand.cancel):
                return errand.result.result()
        except asyncio.CancelledError as exc:
            if slot.interrupted:
                raise Shutdown from exc
            raise
        finally:
            errand.cancel()  # nothing, unless the wait for it ended first
            adopt(errand.context)  # the line "done" has what the job has added

    def cancel(self, run: AsyncRun) -> None:
        """Interrupt a job."""
        self._lane.cancel(run)

    # -- on the loop -------------------------------------------------------------------------------

    async def live(self, run: AsyncRun) -> None:
        """The whole life of a job. It raises nothing, and its slot always comes back."""
        TASK_TID.set(run.slot.tid)
        self._log.enter(run.payload)
        try:
            error = await (self._run_logged(run) if self._log.wants(run.payload) else self._run(run))
        except BaseException as exc:  # noqa: BLE001 - of the log, for instance
            error = exc
        self._lane.left(run)
        if error is None:
            self._conclude(run, None)
        else:
            self._lane.aside(copy_context().run, self._conclude, run, error)

    def _conclude(self, run: AsyncRun, error: BaseException | None) -> None:
        unit, slot, settle = run.unit, run.slot, self._ends.settle
        try:
            settle(unit, DONE if error is None else self._outcome(run, error))
        except BaseException as exc:  # noqa: BLE001 - a bug of ours, or of a hook or handler: the slot must come back
            settle(unit, Broken(exc))
        finally:
            self._ends.give_back(unit, slot)

    def _outcome(self, run: AsyncRun, error: BaseException) -> Outcome:
        return self._judgement.of(run.unit, run.payload, error, run.definition, run.slot)

    async def _run(self, run: AsyncRun) -> BaseException | None:
        """Run the job once. Returns what it raised: it may be anything."""
        began_s = perf_counter()
        payload, slot, error = run.payload, run.slot, None
        try:
            slot.expect(run.cancel)
        except Shutdown as exc:
            return exc
        try:
            job = run.definition.new(payload, slot)
            if self._chain.is_empty:
                await self._perform(job, run)
            else:
                await self._chain.invoke_async(job, payload, slot.queue or "", lambda: self._performed(job, run))
        except BaseException as exc:  # noqa: BLE001 - see above
            error = exc
        slot.forget()
        self._observers.tell(payload, perf_counter() - began_s, error)
        return error

    def _perform(self, job: Any, run: AsyncRun) -> Awaitable[Any]:
        """Call `perform`; what it returns is to be awaited."""
        result = job.perform(*arguments(run.payload))  # middleware may have changed them
        if result is None or not hasattr(result, "__await__"):
            return _nothing()
        limit_s = timeout_s(run.definition, run.payload)
        return result if limit_s is None else within(result, limit_s, run.name)

    async def _performed(self, job: Any, run: AsyncRun) -> Any:
        """The same for middleware: it sees what it sees around a sync job."""
        try:
            return await self._perform(job, run)
        except asyncio.CancelledError as exc:
            if run.slot.interrupted:
                raise Shutdown from exc
            raise

    async def _run_logged(self, run: AsyncRun) -> BaseException | None:
        facts = self._log.context(run.payload)
        self._log.start(facts)
        began_s = perf_counter()
        error = await self._run(run)
        took_s = perf_counter() - began_s
        if error is None:
            self._log.done(facts, took_s, None)
        elif isinstance(error, Interrupted):
            self._log.put_off(facts, took_s, None, error)
        elif not was_cut_off(error, run.slot):  # else it is handed back, and the manager says so
            self._log.fail(facts, took_s, None)
        return error


async def _nothing() -> None:
    """What there is to await of a job that returned nothing to be awaited."""


class _Errand:
    """Something that a thread waits for; a `lane.Ride`. It sees, in a copy, the context variables of that thread."""

    def __init__(self, lane: Lane, awaitable: Awaitable[Any], payload: Any) -> None:
        self._lane = lane
        self._awaitable = awaitable
        self.name = _name(payload)
        self.detail = str(payload.get("jid"))
        self.context = copy_context()
        self.context.run(TASK_TID.set, tid())
        self.task: asyncio.Task[None] | None = None
        self.result: Future[Any] = Future()

    async def go(self) -> None:
        try:
            self.result.set_result(await self._awaitable)
        except BaseException as exc:  # noqa: BLE001 - it is raised again where the result is awaited
            self.result.set_exception(exc)
        finally:
            self._lane.left(self)

    def cancel(self) -> None:
        if not self.result.done():
            self._lane.cancel(self)


def _name(payload: Any) -> str:
    return str(payload.get("wrapped") or payload.get("class"))
