"""Promotion: due jobs leave `retry` and `schedule` for their queues (wire-format 3.2, behaviour 8).

Design record. Sidekiq takes a job out of the set and then pushes it; killed in between, it loses the
job. Here a job is read, stamped in Python (client middleware runs again; Lua would mangle its
numbers), and then moved by one script call that takes it out and pushes it, or does neither. Killed
at any point, the job is in the set or in its queue. Several schedulers may work at once: only the one
whose ZREM succeeds pushes.
"""

from __future__ import annotations

import enum
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pillion.config import Config
from pillion.errors import DecodeError, InvalidJob, RedisRefused
from pillion.server.reporter import Reporter
from pillion.storage.ops import promote as ops
from pillion.storage.ops.base import Op
from pillion.storage.sync import Storage
from pillion.wire import codec, keys

log = logging.getLogger("pillion")

BATCH = 100
# A job that cannot be promoted now (its middleware raised) tries again then, and lets others pass.
POSTPONE_S = 60.0

# `Client.promote_payload`: the payload to push, or None if client middleware vetoed it.
Stamp = Callable[[dict[str, Any]], "dict[str, Any] | None"]


class Fate(enum.Enum):
    """What becomes of a due job, apart from being pushed."""

    DROP = "vetoed by client middleware"
    BURY = "not a job"
    POSTPONE = "cannot be pushed now"


@dataclass(slots=True)
class Plan:
    """What is to be done with one batch."""

    moves: list[ops.Move] = field(default_factory=list[ops.Move])
    others: dict[Fate, list[bytes]] = field(default_factory=lambda: {fate: [] for fate in Fate})

    def add(self, member: bytes, decision: ops.Move | Fate) -> None:
        """Note what to do with one member."""
        if isinstance(decision, Fate):
            self.others[decision].append(member)
        else:
            self.moves.append(decision)


class Promoter:
    """Moves what is due. Parameters: `stopping` ends a promotion between two jobs; `clock` is epoch seconds."""

    def __init__(
        self,
        storage: Storage,
        config: Config,
        stamp: Stamp,
        reporter: Reporter,
        *,
        stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._config = config
        self._stamp = stamp
        self._reporter = reporter
        self._stopping = stopping
        self._clock = clock

    def promote_due(self) -> float | None:
        """Move every due job; return when the next one is due (epoch seconds; None: there is none).

        Raises RedisError. Returns early when stopping.
        """
        while not self._stopping():
            scores = self._storage.run_all([ops.next_due(keys.RETRY), ops.next_due(keys.SCHEDULE)])
            now_s = self._clock()
            due = [key for key, score in zip((keys.RETRY, keys.SCHEDULE), scores, strict=True) if _is_due(score, now_s)]
            if not due:
                return min((score for score in scores if score is not None), default=None)
            for set_key in due:
                self._promote_set(set_key)
        return None

    def _promote_set(self, set_key: str) -> None:
        """Move what is due in one set, a batch at a time."""
        while not self._stopping():
            now_s = self._clock()
            members = self._storage.run(ops.due(set_key, now_s, BATCH))
            plan = self._plan(members)
            self._carry_out(set_key, plan, now_s)
            if len(members) < BATCH:
                return

    def _plan(self, members: list[bytes]) -> Plan:
        """Decide on each member. When stopping, those not yet stamped stay where they are."""
        plan = Plan()
        for member in members:
            if self._stopping():
                break
            plan.add(member, self._decide(member))
        return plan

    def _decide(self, member: bytes) -> ops.Move | Fate:
        """Stamp one job. Only a job that cannot ever be pushed is buried; nothing is lost to an error."""
        try:
            payload = self._stamp(codec.loads_job(member))
            if payload is None:
                log.info("Client middleware vetoed a due job; it is dropped: %.200r", member)
                return Fate.DROP
            return ops.Move(member, _queue_of(payload), codec.dumps(payload))
        except (DecodeError, InvalidJob) as exc:
            self._reporter.report(exc, {"context": "A due job cannot be read; it goes to the dead set as it is"})
            return Fate.BURY
        except Exception as exc:  # noqa: BLE001 - client middleware is user code
            context = f"A due job cannot be pushed now; trying again in {POSTPONE_S:.0f} s"
            self._reporter.report(exc, {"context": context, "job": member.decode(errors="replace")})
            return Fate.POSTPONE

    def _carry_out(self, set_key: str, plan: Plan, now_s: float) -> None:
        """Everything in one round trip."""
        until_s = now_s + POSTPONE_S
        steps: list[Op[Any]] = []
        if buried := plan.others[Fate.BURY]:
            steps.append(self._bury(set_key, buried, now_s))
        if dropped := plan.others[Fate.DROP]:
            steps.append(ops.drop(set_key, dropped))
        if postponed := plan.others[Fate.POSTPONE]:
            steps.append(ops.postpone(set_key, postponed, until_s))
        if plan.moves:
            steps.append(ops.promote(set_key, now_s, plan.moves, refused_until_s=until_s))
        for result in self._storage.run_all(steps):
            if isinstance(result, ops.Promoted):
                self._tell(set_key, plan, result)

    def _bury(self, set_key: str, members: list[bytes], now_s: float) -> Op[ops.Buried]:
        config = self._config
        return ops.bury(set_key, members, now_s=now_s, max_jobs=config.dead_max_jobs, timeout_s=config.dead_timeout_s)

    def _tell(self, set_key: str, plan: Plan, promoted: ops.Promoted) -> None:
        log.debug("Promoted %d of %d jobs from %s", promoted.count, len(plan.moves), set_key)
        for index, why in promoted.refused:
            queue = plan.moves[index].queue
            refusal = RedisRefused(f"Redis refused a due job for queue {queue}, it stays in {set_key}: {why}")
            self._reporter.report(refusal, {"context": f"Trying again in {POSTPONE_S:.0f} s"})


def _is_due(score: float | None, now_s: float) -> bool:
    return score is not None and score <= now_s


def _queue_of(payload: dict[str, Any]) -> str:
    queue = payload.get("queue")
    if isinstance(queue, str) and queue:
        return queue
    raise InvalidJob("queue", f"queue: expected a name, got {queue!r}. Without one the job cannot be pushed anywhere.")
