"""Giving back what a dead process held: one job at a time, each step of its own atomic.

Design record. For each job one script call checks that the owner is still dead, takes the job out of
the owner's hands, counts the recovery and pushes the exact bytes back. A reaper killed anywhere in
between leaves each job in exactly one place, and the next reaper goes on. Newest first: then the
oldest job ends up next to run, and a half-finished give-back has not disturbed the order.

A job that was in flight each of the last three times its process died is taken for the cause of it
and goes to the dead set (poison pill). That holds for what lay in its private wait list, too: a process
runs such a job at once and leases it a moment later. If there are several such jobs in one process's
hands, one of them has killed its neighbours' processes again and again, and nobody can tell which: then
all go back, until one of them is found without the others. `Caution` sees to it that this is soon.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pillion.config import Config
from pillion.errors import DecodeError, PoisonPill
from pillion.server.reporter import Reporter
from pillion.storage.ops import reap as ops
from pillion.storage.sync import Storage
from pillion.wire import codec
from pillion.wire.failure import record_failure

log = logging.getLogger("pillion")

# The recovery within 72 hours that is one too many.
POISON_AT = 3
# The same among several that it could be.
POISON_IN_COMPANY_AT = 10
PAGE = 100


@dataclass(slots=True, frozen=True)
class Held:
    """One job in a dead process's hands. `job` is None for bytes that are not a job."""

    queue: str
    identity: str
    token: bytes
    raw: bytes
    job: dict[str, Any] | None

    @classmethod
    def read(cls, queue: str, identity: str, token: bytes, raw: bytes) -> Held:
        """Parse what can be parsed; never raises."""
        try:
            return cls(queue, identity, token, raw, codec.loads_job(raw))
        except DecodeError:
            return cls(queue, identity, token, raw, None)

    @property
    def key(self) -> str:
        """Under which name its recoveries are counted: its jid, or a digest of its bytes if it has none."""
        jid = (self.job or {}).get("jid")
        if isinstance(jid, str) and jid:
            return jid
        return hashlib.sha1(self.raw, usedforsecurity=False).hexdigest()

    @property
    def name(self) -> str:
        """Its class, for people."""
        job = self.job or {}
        return str(job.get("wrapped") or job.get("class") or "(unreadable)")


def recovery_key(raw: bytes) -> str:
    """Under which name the recoveries of a payload are counted."""
    return Held.read("", "", b"", raw).key


@dataclass(slots=True, frozen=True)
class Recovery:
    """What happened to one job: `returned` to its queue for the `count`th time, or `poison`: it is dead."""

    held: Held
    count: int
    kind: Literal["returned", "poison"]


class OwnerLives(Exception):
    """The lease of the owner runs again: not an error, but the end of the give-back."""


class GiveBack:
    """Takes jobs from the hands of dead owners.

    Parameters: `bury_poison=False` leaves poison pills where they are, for a process that knows the
    app's death handlers (a supervisor does not). `on_recovery` is called for each job. `clock` is
    epoch seconds.
    """

    def __init__(
        self,
        storage: Storage,
        config: Config,
        reporter: Reporter,
        *,
        bury_poison: bool = True,
        on_recovery: Callable[[Recovery], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._config = config
        self._reporter = reporter
        self._bury_poison = bury_poison
        self._on_recovery = on_recovery
        self._clock = clock

    def claim_waiting(self, queue: str, identity: str, *, force: bool) -> None:
        """Put what lies in a private wait list in flight, as its owner would have. Raises OwnerLives, RedisError."""
        moved = PAGE
        while moved == PAGE:
            moved = self._storage.run(ops.claim_waiting(queue, identity, limit=PAGE, force=force))
            if moved == ops.OWNER_LIVES:
                raise OwnerLives

    def suspects(self, queue: str, identity: str) -> int:
        """How many of the jobs in flight would be poison pills this time. Raises RedisError."""
        total = 0
        for page in self._pages(queue, identity):
            counts = self._storage.run(ops.recovery_counts([held.key for held in page]))
            total += sum(count >= POISON_AT - 1 for count in counts)
        return total

    def inflight(self, queue: str, identity: str, *, limit: int, force: bool) -> list[Recovery]:
        """Hand back the jobs in flight, the newest first, and bury those for the `limit`th time.

        Raises OwnerLives, RedisError.
        """
        recoveries: list[Recovery] = []
        for page in self._pages(queue, identity):
            counts = self._storage.run_all(
                [ops.reclaim(queue, identity, held.token, held.key, limit=limit, force=force) for held in page]
            )
            settled = [
                self._settle(held, count, limit=limit, force=force) for held, count in zip(page, counts, strict=True)
            ]
            recoveries += [recovery for recovery in settled if recovery is not None]
        return recoveries

    def _pages(self, queue: str, identity: str) -> Iterator[list[Held]]:
        """What is in flight, the newest first, a page at a time."""
        found = self._storage.run(ops.tokens(queue, identity))
        tokens = sorted(found, key=_age, reverse=True)
        for start in range(0, len(tokens), PAGE):
            page = tokens[start : start + PAGE]
            payloads = self._storage.run(ops.payloads(queue, identity, page))
            held = [
                Held.read(queue, identity, token, raw)
                for token, raw in zip(page, payloads, strict=True)
                if raw is not None
            ]
            if held:
                yield held

    def _settle(self, held: Held, count: int, *, limit: int, force: bool) -> Recovery | None:
        """Follow up on what the script answered for one job; None if it was not ours to recover."""
        if count == ops.OWNER_LIVES:
            raise OwnerLives
        if count == ops.TOO_MANY_RECOVERIES:
            return self._bury(held, limit, force=force) if self._bury_poison else None
        if count == 0:
            return None
        log.warning(
            "Recovered job %s (%s) of queue %s from %s, which died: recovery %d of %d",
            held.key, held.name, held.queue, held.identity, count, limit - 1,
        )  # fmt: skip
        return self._tell(Recovery(held, count, "returned"))

    def _bury(self, held: Held, limit: int, *, force: bool) -> Recovery | None:
        """Send a poison pill to the dead set; drop it if it says `dead: false`."""
        now_s = self._clock()
        error = PoisonPill(
            f"{held.name} was running each of {limit} times its process died, so it is not run again."
            " Look at what it does to its process (memory, os._exit, native code) before you retry it."
        )
        payload = None if held.job is None else record_failure(held.job, error, queue=held.queue, now_ms=_ms(now_s))
        dropped = payload is not None and payload.get("dead") is False
        answer = self._storage.run(
            ops.bury_poison(
                held.queue,
                held.identity,
                held.token,
                held.key,
                None if dropped else held.raw if payload is None else codec.dumps(payload),
                now_s=now_s,
                max_jobs=self._config.dead_max_jobs,
                timeout_s=self._config.dead_timeout_s,
                force=force,
            )
        )
        if answer == ops.OWNER_LIVES:
            raise OwnerLives
        if answer == 0:
            return None
        log.warning(
            "Poison pill: job %s (%s) of queue %s was running when %s died, time %d: %s",
            held.key, held.name, held.queue, held.identity, limit,
            "dropped, as it says dead: false" if dropped else "it is in the dead set now",
        )  # fmt: skip
        if payload is not None:
            if dropped:
                payload["discarded_at"] = _ms(now_s)
            self._reporter.died(payload, error)
        return self._tell(Recovery(held, limit, "poison"))

    def _tell(self, recovery: Recovery) -> Recovery:
        if self._on_recovery is not None:
            try:
                self._on_recovery(recovery)
            except Exception as exc:  # noqa: BLE001 - a listener must not keep jobs from being recovered
                self._reporter.report(exc, {"context": "Error in a listener to recovered jobs"})
        return recovery


def _age(token: bytes) -> int:
    """Tokens count up; one that is no number is none of ours and counts as the oldest."""
    return int(token) if token.isdigit() else -1


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
