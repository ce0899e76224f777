"""Processor: runs one job and finds its Outcome. It has no loop and no thread.

The steps, flat: decode, find the class, make an instance, run it inside the middleware, judge a
failure. Whatever happens, `attempt` returns one Outcome; `Settlement` then carries it out.

What does not run in this thread goes elsewhere: an async job to the event loop, which settles it; and of a job
in a process of its own the call of `perform`, and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from pillion.definition.execution import isolates
from pillion.definition.registry import JobDefinition
from pillion.errors import ConfigError, DecodeError, Interrupted, JobArgumentError
from pillion.log import JobLog
from pillion.middleware import ServerChain
from pillion.server.judgement import Judgement, was_cut_off
from pillion.server.observers import Observers
from pillion.server.outcome import DONE, Malformed, Outcome
from pillion.server.slot import Slot
from pillion.server.unit_of_work import UnitOfWork
from pillion.wire.codec import loads_job


class AsyncJobs(Protocol):
    """The way to the event loop: `async_runs.AsyncRuns`."""

    def begin(self, unit: UnitOfWork, payload: dict[str, Any], definition: JobDefinition, slot: Slot) -> Outcome:
        """Run an async job there. The slot is the job's from now on."""
        ...

    def wait_for(self, awaitable: Awaitable[Any], slot: Slot) -> None:
        """Have it awaited there, and wait. Raises what it raises."""
        ...


class Maker(Protocol):
    """Makes the object of one run: a JobDefinition, or what stands in for it."""

    def new(self, payload: dict[str, Any], context: Slot, /) -> Any:
        """An object with `perform`."""
        ...


class Isolator(Protocol):
    """The way to the child processes."""

    def run(self, definition: JobDefinition, payload: dict[str, Any], slot: Slot) -> None:
        """Call `perform` there, with the arguments in `payload`. Raises what it raised."""
        ...


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
        judgement: Judgement,
        observers: Observers,
        async_jobs: AsyncJobs,
        isolator: Isolator | None = None,
    ) -> None:
        self._find = find
        self._chain = chain
        self._log = job_log
        self._judgement = judgement
        self._observers = observers
        self._async_jobs = async_jobs
        self._isolator = isolator
        self._logs_all = job_log.enabled

    def attempt(self, unit: UnitOfWork, slot: Slot) -> Outcome:
        """Run the job of `unit` once, in `slot`. With the outcome RUNNING the slot is not the caller's any more."""
        try:
            payload = loads_job(unit.raw)
        except DecodeError as exc:
            return Malformed(exc)
        definition: JobDefinition | None = None
        entered = self._log.enter(payload)
        try:
            definition = self._find(payload.get("class"))  # type: ignore[arg-type]  # find() explains a bad name
            maker: Maker = definition
            if not definition.runs_in_thread or "execution" in payload:
                if isolates(definition, payload) if "execution" in payload else definition.is_isolated:
                    maker = _Isolated(definition, self._isolator)
                elif definition.is_async:
                    return self._async_jobs.begin(unit, payload, definition, slot)
            # `wants` alone would do; most payloads have no such key, and this is done for every job.
            if self._logs_all or ("log_level" in payload and self._log.wants(payload)):
                self._run_logged(maker, payload, slot)
            else:
                self._run(maker, payload, slot)
        except BaseException as exc:  # noqa: BLE001 - a job may raise anything
            return self._judgement.of(unit, payload, exc, definition, slot)
        else:
            return DONE
        finally:
            self._log.leave(entered)

    def _run(self, maker: Maker, payload: dict[str, Any], slot: Slot) -> None:
        began_s = perf_counter()
        slot.enter()
        try:
            try:
                job = maker.new(payload, slot)
                args = payload.get("args")
                if type(args) is not list:
                    args = arguments(payload)
                if self._chain.is_empty:
                    result = job.perform(*args)
                    # Also an async function behind a plain wrapper, which does not look like one.
                    if result is not None and hasattr(result, "__await__"):
                        self._async_jobs.wait_for(result, slot)
                else:
                    self._chain.invoke(job, payload, slot.queue or "", partial(self._perform, job, payload, slot))
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

    def _perform(self, job: Any, payload: dict[str, Any], slot: Slot) -> Any:
        result = job.perform(*arguments(payload))  # middleware may have changed them
        if result is not None and hasattr(result, "__await__"):
            return self._async_jobs.wait_for(result, slot)
        return result

    def _run_logged(self, maker: Maker, payload: dict[str, Any], slot: Slot) -> None:
        facts = self._log.context(payload)
        # Two system calls for each job, so only if somebody sees the result; a text line has no room for it.
        cpu_began = time.thread_time() if self._log.start(facts) else None
        began = perf_counter()
        tell: Callable[[dict[str, Any], float, float | None], None] | None = self._log.fail
        try:
            self._run(maker, payload, slot)
            tell = self._log.done
        except Interrupted as wish:
            tell = partial(self._log.put_off, wish=wish)
            raise
        except BaseException as exc:
            if was_cut_off(exc, slot):
                tell = None  # neither: it is handed back, and the manager says so
            raise
        finally:
            if tell is not None:
                elapsed_s = perf_counter() - began
                tell(facts, elapsed_s, None if cpu_began is None else time.thread_time() - cpu_began)
            tell = None  # it may hold the error, which holds this frame


class _Isolated:
    """Makes runs whose `perform` is called in another process."""

    def __init__(self, definition: JobDefinition, isolator: Isolator | None) -> None:
        if isolator is None:
            raise ConfigError("execution", "a worker with child processes", definition.wire_name, "Use a thread.")
        self._definition = definition
        self._isolator = isolator

    def new(self, payload: dict[str, Any], context: Slot, /) -> Any:
        job = self._definition.new(payload, context)

        def perform(*_: Any) -> None:
            self._isolator.run(self._definition, payload, context)

        job.perform = perform
        return job


def arguments(payload: Mapping[str, Any]) -> list[Any]:
    """The positional arguments; missing or null means none (wire-format 4). Raises JobArgumentError."""
    args = payload.get("args")
    if isinstance(args, list):
        return args  # pyright: ignore[reportUnknownVariableType]
    if args is None:
        return []
    raise JobArgumentError(f"args: expected a list of positional arguments, got {args!r:.100}. Who pushed this job?")
