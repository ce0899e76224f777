"""Running the jobs of fake mode: drain, perform_one; and what a job class can ask about its own.

    J.drain()                  runs what is due, and what that pushes; the first error comes out
    J.drain(retries=True)      a job that fails goes through the real retry rules instead, and waits for its time
    J.drain(travel=True)       also what is due later: the clock of the test moves on to each

A job is taken out before it runs, so one that raises is gone, as in Sidekiq's fake mode.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pillion.client.intake import definition_of
from pillion.definition.registry import JobDefinition
from pillion.errors import EmptyQueue, Interrupted, Postponed, UnknownJobClass
from pillion.server.outcome import Dead, Discard, Retry
from pillion.server.reporter import Reporter
from pillion.server.retry import Failure, RetryPolicy, decide
from pillion.testing.mode import Mode
from pillion.testing.store import Entry, Payload
from pillion.wire.codec import dumps, loads_job
from pillion.wire.timestamps import to_ms

Wanted = Callable[[Entry], bool]
INLINE = (
    "This is inline mode: each job has run where it was pushed, and none is enqueued. "
    "Look at what they did, or use pillion.testing.fake()."
)


class Drain:
    """One call of drain. Each `step` takes the next job that may run; there is none when it answers None."""

    def __init__(self, mode: Mode, wanted: Wanted, *, retries: bool, travel: bool) -> None:
        self._mode = mode
        self._wanted = wanted
        self._retries = retries
        self._travel = travel
        self._runner = mode.runner()
        self._put_back: set[int] = set()

    def run(self) -> int:
        """Run all there is. Returns how many runs there were."""
        count = 0
        while (raw := self.step()) is not None:
            count += 1
            try:
                self._runner.run(raw)
            except (Exception, Interrupted) as exc:  # noqa: BLE001 - whatever the job raises
                self._failed(raw, exc)
        return count

    async def run_async(self) -> int:
        """As `run`, on this event loop."""
        count = 0
        while (raw := self.step()) is not None:
            count += 1
            try:
                await self._runner.run_async(raw)
            except (Exception, Interrupted) as exc:  # noqa: BLE001 - whatever the job raises
                self._failed(raw, exc)
        return count

    def step(self) -> bytes | None:
        """The bytes of the next job to run, as a worker would fetch them."""
        queues, clock = self._mode.queues, self._mode.clock
        while True:
            now_s = clock.now_s()
            entry = queues.take(self._is_wanted, None if self._travel else now_s)
            if entry is None:
                return None
            if entry.due_s > now_s:
                clock.pass_s(entry.due_s - now_s)
            payload = self._promoted(entry)
            if payload is not None:
                queues.ran.append(payload)
                return dumps(payload)

    def _is_wanted(self, entry: Entry) -> bool:
        return entry.number not in self._put_back and self._wanted(entry)

    def _promoted(self, entry: Entry) -> Payload | None:
        """From the schedule or the retry set into its queue, through client middleware, which may stop it."""
        if entry.kind == "queue":
            return entry.payload
        client = self._mode.home.client()
        return client.promote_payload({key: value for key, value in entry.payload.items() if key != "at"})

    def _failed(self, raw: bytes, exc: BaseException) -> None:
        if isinstance(exc, Interrupted):  # it wants to go on later: not in this drain
            self._put_back.add(self._back(raw, exc))
        elif self._retries:
            self._judge(raw, exc)
        else:
            raise exc

    def _back(self, raw: bytes, exc: Interrupted) -> int:
        queues, queue = self._mode.queues, str(loads_job(raw)["queue"])
        if isinstance(exc, Postponed):
            return queues.add(raw, queue, self._mode.clock.now_s() + exc.delay_s, "schedule")
        return queues.add(raw, queue)

    def _judge(self, raw: bytes, exc: BaseException) -> None:
        """What a worker would do with a job that failed."""
        home, queues = self._mode.home, self._mode.queues
        config, payload = home.config(), loads_job(raw)
        reporter = Reporter(config)
        policy = RetryPolicy(config.max_retries, config.backtrace_cleaner, reporter.report, random.Random())
        failure = Failure(payload, str(payload["queue"]), exc, self._hooks_of(payload))
        outcome = decide(failure, policy, now_ms=to_ms(self._mode.clock.now_s()))
        if isinstance(outcome, Retry):
            queues.add(outcome.payload, str(loads_job(outcome.payload)["queue"]), outcome.at_s, "retry")
        if isinstance(outcome, Dead):
            queues.bury(outcome.payload)
        reporter.report(exc, {"context": "Job raised exception", "job": payload})
        if isinstance(outcome, Dead | Discard):
            reporter.died(outcome.job, exc)

    def _hooks_of(self, payload: Payload) -> JobDefinition | None:
        try:
            return self._mode.home.registry().find(str(payload.get("wrapped") or payload["class"]))
        except UnknownJobClass:
            return None


class Inspection:
    """The jobs of a mode, seen from a job class. `job` is a job, a base class of jobs, or None for all."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode

    def jobs(self, job: Any) -> list[Payload]:
        """The payloads that wait: in queues, scheduled, or to be tried again."""
        return [entry.payload for entry in self._mode.queues.waiting(which(job))]

    def clear(self, job: Any) -> int:
        """Take them out, without running them. Returns how many."""
        if job is None:
            return self._mode.queues.clear()
        return self._mode.queues.remove(which(job))

    def drain(self, job: Any, *, retries: bool, travel: bool) -> int:
        """Run them, and what they push. Returns how many runs there were."""
        return Drain(self._mode, which(job), retries=retries, travel=travel).run()

    async def drain_aio(self, job: Any, *, retries: bool, travel: bool) -> int:
        """As `drain`, on this event loop."""
        return await Drain(self._mode, which(job), retries=retries, travel=travel).run_async()

    def perform_one(self, job: Any) -> str:
        """Run the next one that is due. Returns its jid; raises EmptyQueue if there is none."""
        raw = self._next(job)
        self._mode.runner().run(raw)
        return str(loads_job(raw)["jid"])

    async def perform_one_aio(self, job: Any) -> str:
        """As `perform_one`, on this event loop."""
        raw = self._next(job)
        await self._mode.runner().run_async(raw)
        return str(loads_job(raw)["jid"])

    def _next(self, job: Any) -> bytes:
        raw = Drain(self._mode, which(job), retries=False, travel=False).step()
        if raw is not None:
            return raw
        later = self._mode.queues.waiting(which(job))
        hint = ""
        if later:
            in_s = later[0].due_s - self._mode.clock.now_s()
            hint = f" {len(later)} are scheduled, the next in {in_s:.0f} s: pillion.testing.travel(seconds={in_s:.0f})."
        elif self._mode.name == "inline":
            hint = f" {INLINE}"
        raise EmptyQueue(f"No {name_of(job)} is due.{hint}")


def which(job: Any) -> Wanted:
    """Says of an entry whether it is one of `job`: a job, its name, a base class of jobs, or None for all."""
    if job is None:
        return lambda _entry: True
    names = names_of(job)
    return lambda entry: entry.payload.get("class") in names or entry.payload.get("wrapped") in names


def names_of(job: Any) -> set[str]:
    """The names on the wire of a job, or of all jobs derived from a base class."""
    if isinstance(job, str):
        return {job}
    definition = getattr(job, "__job__", None)
    if isinstance(definition, JobDefinition) and definition.is_abstract:
        return {one.__job__.wire_name for one in _derived(job) if not one.__job__.is_abstract}
    return {definition_of(job).wire_name}


def _derived(base: type[Any]) -> list[Any]:
    return [one for direct in base.__subclasses__() for one in (direct, *_derived(direct))]


def name_of(job: Any) -> str:
    """How a message calls a job."""
    return "job" if job is None else str(job if isinstance(job, str) else job.__job__.wire_name)
