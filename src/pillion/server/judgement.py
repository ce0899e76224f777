"""Judgement: what becomes of a job whose run ended with an exception. The same for jobs in threads and on the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from pillion.definition.registry import JobDefinition
from pillion.errors import Interrupted, Postponed, Shutdown, UnknownJobClass
from pillion.server.outcome import ABANDONED, Outcome, Reschedule
from pillion.server.retry import Failure, RetryPolicy, decide
from pillion.server.slot import Slot
from pillion.server.unit_of_work import UnitOfWork
from pillion.wire.codec import dumps, loads_job
from pillion.wire.failure import cause_chain
from pillion.wire.payload import for_queue, for_schedule

# What an interruption looks like where it comes out: in a thread, in a task, in a task whose loop is closed.
_CUT_OFF: Final = (Shutdown, asyncio.CancelledError, GeneratorExit)


def was_cut_off(exc: BaseException, slot: Slot) -> bool:
    """Whether the run ended because this process must stop. Only if we said so: else the job has raised it itself."""
    return slot.interrupted and any(isinstance(found, _CUT_OFF) for found in cause_chain(exc))


class Judgement:
    """Finds the Outcome of a run from its exception. Safe to use from any thread. `find` gives a definition by name."""

    def __init__(
        self, find: Callable[[str], JobDefinition], policy: RetryPolicy, now_s: Callable[[], float] = time.time
    ) -> None:
        self._find = find
        self._policy = policy
        self._now_s = now_s

    def of(
        self,
        unit: UnitOfWork,
        payload: dict[str, Any],
        exc: BaseException,
        definition: JobDefinition | None,
        slot: Slot,
    ) -> Outcome:
        """The outcome of the run of `unit`; `payload` is what middleware may have changed."""
        if isinstance(exc, Postponed):
            return self._postpone(unit, exc.delay_s)
        if isinstance(exc, Interrupted):
            return self._reschedule(payload)
        # A Shutdown that nobody sent is an error like any other: nobody would hand the job back.
        if was_cut_off(exc, slot):
            return ABANDONED
        return self._judge(unit, exc, definition)

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
