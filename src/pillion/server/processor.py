"""Processor: runs one job and finds its Outcome. It has no loop and no thread.

The steps, flat: decode, find the class, make an instance, run it inside the middleware, judge a
failure. Whatever happens, `attempt` returns one Outcome; `Settlement` then carries it out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

from pillion.definition.registry import JobDefinition
from pillion.errors import DecodeError, Interrupted, JobArgumentError, Postponed, UnknownJobClass
from pillion.log import JobLog
from pillion.middleware import ServerChain
from pillion.server.observers import Observers
from pillion.server.outcome import ABANDONED, DONE, Malformed, Outcome, Reschedule
from pillion.server.retry import Failure, RetryPolicy, decide
from pillion.server.slot import Slot
from pillion.server.unit_of_work import UnitOfWork
from pillion.wire.codec import dumps, loads_job
from pillion.wire.failure import is_shutdown
from pillion.wire.payload import for_queue, for_schedule


class Processor:
    """Runs jobs of one capsule. Safe to call from many threads at once.

    `find` gives the definition of a class name; `chain` is the capsule's server middleware. `observers`
    are told of each run that began.
    """

    def __init__(
        self,
        find: Callable[[str], JobDefinition],
        chain: ServerChain,
        job_log: JobLog,
        policy: RetryPolicy,
        observers: Observers,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._find = find
        self._chain = chain
        self._log = job_log
        self._policy = policy
        self._observers = observers
        self._logs_all = job_log.enabled
        self._now_s = now_s

    def attempt(self, unit: UnitOfWork, slot: Slot) -> Outcome:
        """Run the job of `unit` once, in `slot`."""
        try:
            payload = loads_job(unit.raw)
        except DecodeError as exc:
            return Malformed(exc)
        definition: JobDefinition | None = None
        entered = self._log.enter(payload)
        try:
            definition = self._find(payload.get("class"))  # type: ignore[arg-type]  # find() explains a bad name
            # `wants` alone would do; most payloads have no such key, and this is done for every job.
            if self._logs_all or ("log_level" in payload and self._log.wants(payload)):
                self._run_logged(definition, payload, slot)
            else:
                self._run(definition, payload, slot)
        except Postponed as exc:
            return self._postpone(unit, exc.delay_s)
        except Interrupted:
            return self._reschedule(payload)
        except BaseException as exc:  # noqa: BLE001 - a job may raise anything
            # A Shutdown that nobody sent is an error like any other: nobody would hand the job back.
            if slot.interrupted and is_shutdown(exc):
                return ABANDONED
            return self._judge(unit, exc, definition)
        else:
            return DONE
        finally:
            self._log.leave(entered)

    def _run(self, definition: JobDefinition, payload: dict[str, Any], slot: Slot) -> None:
        began_s = perf_counter()
        slot.enter()
        try:
            try:
                job = definition.new(payload, slot)
                args = payload.get("args")
                if type(args) is not list:
                    args = _arguments(payload)
                if self._chain.is_empty:
                    result = job.perform(*args)
                    # Also an async function behind a plain wrapper, which does not look like one.
                    if result is not None and hasattr(result, "__await__"):
                        slot.await_(result)
                else:
                    self._run_in_chain(definition, job, payload, slot)
            finally:
                slot.leave()
        except BaseException as exc:
            self._observers.tell(payload, perf_counter() - began_s, exc)
            raise
        # Observers are told after `leave`: before, an interruption could break into the middle of one.
        for observe in self._observers.each:  # as `tell` does it, without its call: this is done for every job
            try:
                observe(payload, perf_counter() - began_s, None)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - the job is what counts
                self._observers.failed(exc, payload)

    def _run_in_chain(self, definition: JobDefinition, job: Any, payload: dict[str, Any], slot: Slot) -> None:
        def body() -> Any:
            return job.perform(*_arguments(payload))  # middleware may have changed them

        queue = slot.queue or ""
        if definition.is_async:
            slot.await_(self._chain.invoke_async(job, payload, queue, body))
        else:
            self._chain.invoke(job, payload, queue, body)

    def _run_logged(self, definition: JobDefinition, payload: dict[str, Any], slot: Slot) -> None:
        facts = self._log.context(payload)
        # Two system calls for each job, so only if somebody sees the result; a text line has no room for it.
        cpu_began = time.thread_time() if self._log.start(facts) else None
        began = perf_counter()
        tell: Callable[[dict[str, Any], float, float | None], None] | None = self._log.fail
        try:
            self._run(definition, payload, slot)
            tell = self._log.done
        except Interrupted as wish:
            tell = partial(self._log.put_off, wish=wish)
            raise
        except BaseException as exc:
            if slot.interrupted and is_shutdown(exc):
                tell = None  # neither: it is handed back, and the manager says so
            raise
        finally:
            if tell is not None:
                elapsed_s = perf_counter() - began
                tell(facts, elapsed_s, None if cpu_began is None else time.thread_time() - cpu_began)
            tell = None  # it may hold the error, which holds this frame

    def _reschedule(self, payload: dict[str, Any]) -> Outcome:
        again = for_queue(payload, int(self._now_s() * 1000))
        return Reschedule(str(again["queue"]), dumps(again))

    def _postpone(self, unit: UnitOfWork, delay_s: float) -> Outcome:
        later = for_schedule({"queue": unit.queue, **loads_job(unit.raw)})  # without what middleware did to it
        return Reschedule(unit.queue, dumps(later), self._now_s() + delay_s)

    def _judge(self, unit: UnitOfWork, exc: BaseException, definition: JobDefinition | None) -> Outcome:
        # The bytes are parsed anew: what middleware did to the payload is for this run only.
        payload = loads_job(unit.raw)
        failure = Failure(payload, unit.queue, exc, self._hooks_of(payload, definition))
        return decide(failure, self._policy, now_ms=int(self._now_s() * 1000))

    def _hooks_of(self, payload: dict[str, Any], definition: JobDefinition | None) -> JobDefinition | None:
        """Whose retry hooks count: those of the job behind a generic wrapper, if the payload names one."""
        wrapped = payload.get("wrapped")
        if not wrapped:
            return definition
        try:
            return self._find(str(wrapped))
        except UnknownJobClass:
            return None


def _arguments(payload: dict[str, Any]) -> list[Any]:
    """The positional arguments; missing or null means none (wire-format 4)."""
    args = payload.get("args")
    if isinstance(args, list):
        return args  # pyright: ignore[reportUnknownVariableType]
    if args is None:
        return []
    raise JobArgumentError(f"args: expected a list of positional arguments, got {args!r:.100}. Who pushed this job?")
