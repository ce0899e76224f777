"""Settlement: carries out the Outcome of a job. One `match`, and the only place that does it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pillion.config import Config
from pillion.server.outbox import Outbox, utc_today
from pillion.server.outcome import (
    Abandoned,
    Broken,
    Dead,
    Discard,
    Done,
    Malformed,
    Outcome,
    Reschedule,
    Retry,
    Running,
)
from pillion.server.reporter import Reporter
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.ops.work import Step
from pillion.wire.codec import for_dead_set, loads_job

log = logging.getLogger("pillion")

# What a feature adds to an outcome: small Redis steps, carried out in the same script, and only if
# the lease was still ours. So a batch counts a job, and a lock is released, exactly once.
Effect = Callable[[dict[str, Any], Outcome], Iterable[Step]]


class Settlement:
    """Turns outcomes into ops in the outbox, and then tells those who want to know.

    `effects` come from the Config; without any, a finished job costs one entry in a list.
    """

    def __init__(
        self,
        config: Config,
        routes: Mapping[str, work.Route],
        outbox: Outbox,
        reporter: Reporter,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._routes = routes
        self._outbox = outbox
        self._reporter = reporter
        self._now_s = now_s
        self._effects: Sequence[Effect] = tuple(config.effects)
        self._script = work.settle_script(config.named_steps)

    def settle(self, unit: UnitOfWork, outcome: Outcome) -> bool:
        """Carry out `outcome` for the job of `unit`. False: it has none yet, it goes on elsewhere."""
        match outcome:
            case Done() if not self._effects:
                self._outbox.acknowledge(unit)
            case Done():
                self._send(unit, outcome, (), failed=0)
            case Retry(payload, at_s, error):
                self._send(unit, outcome, work.retry_steps(payload, at_s), failed=1)
                self._report(unit, error)
            case Dead(payload, job, error):
                log.info("Adding dead %s job %s", job.get("class"), job.get("jid"))
                self._send(unit, outcome, self._bury(payload), failed=1)
                self._report(unit, error)
                self._reporter.died(job, error)
            case Discard(job, error):
                self._send(unit, outcome, (), failed=1)
                self._report(unit, error)
                self._reporter.died(job, error)
            case Reschedule(queue, payload, at_s):
                steps = work.push_steps(queue, payload) if at_s is None else work.schedule_steps(payload, at_s)
                self._send(unit, outcome, steps, failed=0)
            case Malformed(error):
                self._send(unit, outcome, self._bury(for_dead_set(unit.raw)), failed=0, processed=0)
                self._reporter.report(error, {"context": "Invalid JSON for job", "jobstr": unit.raw})
            case Broken(error):
                self._send(unit, outcome, self._bury(for_dead_set(unit.raw)), failed=0, processed=0)
                self._reporter.report(error, {"context": "Internal exception!", "jobstr": unit.raw})
            case Abandoned():
                pass  # the manager hands it back unchanged; if this process dies first, the reaper does
            case Running():
                return False
        return True

    def _send(
        self, unit: UnitOfWork, outcome: Outcome, steps: Sequence[Step], *, failed: int, processed: int = 1
    ) -> None:
        op = work.settle(
            self._script,
            self._routes[unit.queue],
            unit.token,
            (*steps, *self._effect_steps(unit, outcome)),
            processed=processed,
            failed=failed,
            day=utc_today(),
        )
        self._outbox.settle(unit, op)

    def _effect_steps(self, unit: UnitOfWork, outcome: Outcome) -> list[Step]:
        if not self._effects or isinstance(outcome, Malformed | Broken):
            return []
        job = loads_job(unit.raw)
        return [step for effect in self._effects for step in effect(job, outcome)]

    def _bury(self, payload: bytes) -> Sequence[Step]:
        return work.bury_steps(
            payload,
            now_s=self._now_s(),
            max_jobs=self._config.dead_max_jobs,
            timeout_s=self._config.dead_timeout_s,
        )

    def _report(self, unit: UnitOfWork, error: BaseException) -> None:
        self._reporter.report(error, {"context": "Job raised exception", "job": loads_job(unit.raw)})
