"""Reaper: finds processes that died with jobs in their hands, and gives those jobs back.

Design record. There are two ways to know that an owner is dead.

- Certain: it is a process of this host that is gone (`owner.surely_dead`), or a supervisor has seen
  its child die. Then its lease does not matter (`force`).
- By lease: nobody has renewed it for 30 s. That may also mean that nobody *could*: Redis was away, its
  clock jumped, a snapshot was restored. So (1) a reaper goes by leases only once it has seen Redis
  answer, without a fault, for a whole lease time, and (2) it looks twice, more than one renewal apart.
  The give-back scripts look a third time, in the same step as they act.

Somebody in the cluster sweeps about each 15 s: a lock keeps the cost from growing with the square of
the number of processes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from pillion.config import Config
from pillion.errors import RedisError, RedisUnavailable
from pillion.server.give_back import POISON_AT, POISON_IN_COMPANY_AT, GiveBack, OwnerLives, Recovery
from pillion.server.orphans import enter_orphans
from pillion.server.owner import OwnerRecord, surely_dead, this_place
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.storage.ops import promote, reap
from pillion.storage.sync import Storage
from pillion.wire import keys

log = logging.getLogger("pillion")

T = TypeVar("T")

SWEEP_EVERY_S = 15.0
SWEEP_JITTER_S = 3.0
SWEEP_LOCK_S = 10.0
# Longer than the renewal period: a living owner has renewed its lease by the second look.
SECOND_LOOK_S = 6.0
TRY_SEARCH_EVERY_S = 600.0
ERROR_WAIT_S = 5.0


@dataclass(slots=True, frozen=True)
class Recovered:
    """What `recover` did. `finished`: nothing is left, and the owner is struck off the list."""

    jobs: tuple[Recovery, ...] = ()
    finished: bool = False


@dataclass(slots=True)
class _Tally:
    """What one `recover` has got hold of so far."""

    jobs: list[Recovery] = field(default_factory=list[Recovery])
    failure: RedisError | None = None


class Reaper:
    """A Service that gives back the jobs of dead processes. See GiveBack for the other parameters.

    Parameters: `identity` is this process (or supervisor); it never reaps itself. `monotonic` is the
    clock for its own waits, `clock` (epoch seconds) for times of death.
    """

    def __init__(
        self,
        storage: Storage,
        config: Config,
        identity: str,
        reporter: Reporter,
        *,
        bury_poison: bool = True,
        on_recovery: Callable[[Recovery], None] | None = None,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._storage = storage
        self._identity = identity
        self._reporter = reporter
        self._rng = rng or Random()
        self._monotonic = monotonic
        self._here = this_place()
        self._give_back = GiveBack(
            storage, config, reporter, bury_poison=bury_poison, on_recovery=on_recovery, clock=clock
        )
        self._loop = PeriodicService("reaper", self._tick, reporter, error_wait_s=ERROR_WAIT_S)
        self.suspects: set[str] = set()
        self._leases_count_from = monotonic() + keys.ALIVE_TTL_S
        self._search_at = 0.0

    def start(self) -> None:
        """Sweep now, and from now on."""
        self._loop.start()

    def quiet(self) -> None:
        """Nothing changes: what dead processes held is to be run by others."""

    def stop(self, deadline_s: float) -> None:
        """Sweep no more; wait for the sweep under way until `deadline_s` (monotonic)."""
        self._loop.stop(deadline_s)

    # -- one owner -------------------------------------------------------------------------------

    def recover(self, identity: str, *, force: bool = False) -> Recovered:
        """Give back everything one owner holds, and strike it off.

        Parameters: `force` says that the owner is known to be dead, whatever its lease says. Without
        it nothing is touched while the lease runs. Raises RedisError; then, or after a crash, another
        call goes on where this one ended.
        """
        raw = self._storage.run(reap.owner(identity))
        if raw is None:
            return Recovered()
        queues = OwnerRecord.parse(raw).queues
        tally = _Tally()
        try:
            self._recover_queues(queues, identity, tally, force=force)
        except OwnerLives:
            log.info("%s lives after all; it keeps its jobs", identity)
            return Recovered(tuple(tally.jobs))
        if tally.failure is not None:
            raise tally.failure
        retired = self._storage.run(reap.retire(identity, queues, force=force))
        return Recovered(tuple(tally.jobs), retired == 1)

    def _recover_queues(self, queues: Sequence[str], identity: str, tally: _Tally, *, force: bool) -> None:
        back = self._give_back
        self._each(queues, tally, lambda queue: back.claim_waiting(queue, identity, force=force))
        suspects = self._each(queues, tally, lambda queue: back.suspects(queue, identity))
        limit = POISON_AT if sum(suspects) <= 1 else POISON_IN_COMPANY_AT
        self._each(
            queues, tally, lambda queue: tally.jobs.extend(back.inflight(queue, identity, limit=limit, force=force))
        )

    def _each(self, queues: Sequence[str], tally: _Tally, step: Callable[[str], T]) -> list[T]:
        """Take a step for each queue of an owner. One that cannot be written must not hold up the others."""
        results: list[T] = []
        for queue in queues:
            try:
                results.append(step(queue))
            except RedisUnavailable:
                raise
            except RedisError as exc:
                tally.failure = tally.failure or exc
        return results

    def recover_neighbours(self) -> int:
        """Give back, at once, the jobs of processes of this host that are gone. How many owners there were.

        For the start of a process: whatever ran here before and was killed need not wait for its lease.
        Raises RedisError.
        """
        dead = self._dead_here(self._storage.run(reap.owners()))
        self._recover_each(dead, force=True)
        return len(dead)

    # -- all owners ------------------------------------------------------------------------------

    def sweep(self) -> None:
        """Look at all owners once. Raises RedisError.

        Recovers those surely dead, and those without a lease that were `suspects` already. Those first
        seen without a lease are the suspects of the next sweep.
        """
        owners = self._storage.run(reap.owners())
        dead = self._dead_here(owners)
        self._recover_each(dead, force=True)
        lapsed = self._without_lease([identity for identity in owners if identity not in dead])
        confirmed = [identity for identity in lapsed if identity in self.suspects]
        self.suspects.clear()
        if self._monotonic() >= self._leases_count_from:
            self.suspects.update(identity for identity in lapsed if identity not in confirmed)
            self._recover_each(confirmed, force=False)

    def _dead_here(self, owners: dict[str, bytes]) -> list[str]:
        return [
            identity
            for identity, raw in owners.items()
            if identity != self._identity and surely_dead(OwnerRecord.parse(raw), self._here)
        ]

    def _without_lease(self, identities: list[str]) -> list[str]:
        others = [identity for identity in identities if identity != self._identity]
        lives = self._storage.run_all([reap.lives(identity) for identity in others])
        return [identity for identity, living in zip(others, lives, strict=True) if not living]

    def _recover_each(self, identities: list[str], *, force: bool) -> None:
        """Recover several owners. What one of them cannot have back must not hold up the others."""
        for identity in identities:
            try:
                self.recover(identity, force=force)
            except RedisUnavailable:
                raise
            except RedisError as exc:
                self._reporter.report(exc, {"context": f"Could not give back all jobs of {identity}"})

    # -- in the thread ---------------------------------------------------------------------------

    def _tick(self) -> float:
        try:
            # A second look needs no lock: it is this process that has the suspects.
            if not self.suspects and not self._claim_sweep():
                return self._pause()
            self.sweep()
            if self.suspects:
                return SECOND_LOOK_S
            self._search()
            return self._pause()
        except RedisError:
            self._distrust_leases()
            raise

    def _claim_sweep(self) -> bool:
        return self._storage.run(promote.hold_lock(reap.SWEEP_LOCK, self._identity, SWEEP_LOCK_S))

    def _search(self) -> None:
        if self._monotonic() >= self._search_at:
            self._search_at = self._monotonic() + TRY_SEARCH_EVERY_S
            enter_orphans(self._storage, self._identity, lambda: self._loop.stopping)

    def _pause(self) -> float:
        return SWEEP_EVERY_S + self._rng.uniform(-SWEEP_JITTER_S, SWEEP_JITTER_S)

    def _distrust_leases(self) -> None:
        """After an outage: others could not renew either. Give them a whole lease time."""
        self.suspects.clear()
        self._leases_count_from = self._monotonic() + keys.ALIVE_TTL_S
