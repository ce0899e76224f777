"""Reaper: finds processes that died with jobs in their hands, and gives those jobs back.

Design record. There are two ways to know that an owner is dead.

- Certain: it is a process of this host that is gone (`owner.surely_dead`), or a supervisor has seen
  its child die. Then its lease does not matter (`force`).
- By lease: see `LeaseWatch`. The give-back scripts look once more, in the same step as they act.

Who sweeps: supervisors, as they live on when workers die and remember what they have seen; and workers, for
those that have no supervisor, and to bury poison pills, which a supervisor leaves to them. Somebody in the
cluster sweeps about each 15 s: a lock keeps the cost from growing with the square of the number of processes.
Whoever has found suspects then watches them alone, without the lock, until their leases end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from pillion.config import Config
from pillion.errors import RedisError, RedisRefused, RedisUnavailable
from pillion.server.give_back import POISON_AT, POISON_IN_COMPANY_AT, GiveBack, OwnerLives, Recovery
from pillion.server.lease_watch import LeaseWatch
from pillion.server.orphans import enter_orphans
from pillion.server.owner import OwnerRecord, surely_dead, this_place
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.storage.ops import promote, reap
from pillion.storage.sync import Storage

log = logging.getLogger("pillion")

T = TypeVar("T")

SWEEP_EVERY_S = 15.0
SWEEP_JITTER_S = 3.0
# Not longer than the shortest pause: whoever has swept before is sure to be let in again.
SWEEP_LOCK_S = SWEEP_EVERY_S - SWEEP_JITTER_S
TRY_SEARCH_EVERY_S = 600.0
ERROR_WAIT_S = 5.0


@dataclass(slots=True, frozen=True)
class Recovered:
    """What `recover` did. `finished`: nothing is left, and the owner is struck off the list."""

    jobs: tuple[Recovery, ...] = ()
    finished: bool = False


@dataclass(slots=True, frozen=True)
class Found:
    """An owner that is dead. `certain`: it was seen to be gone, so that its lease does not matter."""

    identity: str
    certain: bool = False


@dataclass(slots=True)
class _Tally:
    """What one `recover` has got hold of so far."""

    jobs: list[Recovery] = field(default_factory=list[Recovery])
    failure: RedisError | None = None


class Reaper:
    """A Service that gives back the jobs of dead processes. See GiveBack for the other parameters.

    Parameters: `identity` is this process (or supervisor); it never reaps itself. `on_suspects` is called each
    time there are jobs that have to run alone. `monotonic` is the clock for its own waits, `clock` (epoch
    seconds) for times of death.
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
        on_suspects: Callable[[], object] | None = None,
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
        self._watch = LeaseWatch(monotonic)
        self._on_suspects = on_suspects
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
        suspects = sum(self._each(queues, tally, lambda queue: back.suspects(queue, identity)))
        limit = POISON_IN_COMPANY_AT if self._in_company(identity, suspects) else POISON_AT
        self._each(
            queues, tally, lambda queue: tally.jobs.extend(back.inflight(queue, identity, limit=limit, force=force))
        )

    def _in_company(self, identity: str, suspects: int) -> bool:
        """Whether there were several suspects with it when it died; some may have been given back by now."""
        if suspects > 1:
            with suppress(RedisRefused):  # memory is full, perhaps: what matters is that they go back
                self._storage.run(reap.note_company(identity))
            return True
        return suspects == 1 and self._storage.run(reap.had_company(identity))

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
        for identity in dead:
            self.recover_found(Found(identity, certain=True))
        return len(dead)

    # -- all owners ------------------------------------------------------------------------------

    @property
    def suspects(self) -> set[str]:
        """The owners that may be dead: they were late with their leases at the last look."""
        return self._watch.suspects

    def sweep(self) -> None:
        """Look at all owners once, and recover those that are dead. Raises RedisError."""
        for finding in self.look():
            self.recover_found(finding)

    def look(self, living: Collection[str] = ()) -> list[Found]:
        """Look at all owners once: which are dead? Raises RedisError.

        Parameters: `living` are owners that the caller knows to live.
        """
        owners = self._storage.run(reap.owners())
        dead = self._dead_here(owners)
        others = [each for each in owners if each != self._identity and each not in living and each not in dead]
        leases = self._storage.run_all([reap.lease_left(identity) for identity in others])
        lapsed = self._watch.look(dict(zip(others, leases, strict=True)))
        return [*(Found(identity, certain=True) for identity in dead), *map(Found, lapsed)]

    def _dead_here(self, owners: dict[str, bytes]) -> list[str]:
        return [
            identity
            for identity, raw in owners.items()
            if identity != self._identity and surely_dead(OwnerRecord.parse(raw), self._here)
        ]

    def recover_found(self, found: Found) -> bool:
        """Recover one owner; whether nothing is left of it. What it cannot have back is reported.

        That must not hold up the others. Raises RedisUnavailable.
        """
        try:
            return self.recover(found.identity, force=found.certain).finished
        except RedisUnavailable:
            raise
        except RedisError as exc:
            self._reporter.report(exc, {"context": f"Could not give back all jobs of {found.identity}"})
            return False

    # -- in the thread ---------------------------------------------------------------------------

    def _tick(self) -> float:
        try:
            if self._on_suspects is not None:
                self._look_for_suspects(self._on_suspects)
            if self.may_look():
                self.sweep()
                self._search()
            return self.pause_s()
        except RedisError:
            self.distrust_leases()
            raise

    def _look_for_suspects(self, on_suspects: Callable[[], object]) -> None:
        """Call it if there are jobs that have to run alone. No fault of their list may hold up the reaper."""
        try:
            if self._storage.run(reap.any_suspects()):
                self._forget_suspects()
                on_suspects()
        except RedisUnavailable:
            raise
        except RedisError as exc:
            self._reporter.report(exc, {"context": "Cannot see which jobs have to run alone"})

    def _forget_suspects(self) -> None:
        """Strike off those whose recoveries count no more: nobody has seen how they ended, or they were deleted."""
        names = self._storage.run(reap.suspects())
        counts = self._storage.run(reap.recovery_counts(names)) if names else []
        for name, count in zip(names, counts, strict=True):
            if not count:
                self._storage.run(reap.absolve(name))

    def may_look(self) -> bool:
        """Whether it is for this process to look at all owners now. Raises RedisError."""
        if self.suspects:
            return True  # no lock is needed to watch them: it is this process that knows them
        may = self._storage.run(promote.hold_lock(reap.SWEEP_LOCK, self._identity, SWEEP_LOCK_S))
        self._watch.in_touch()
        return may

    def let_others_look(self) -> None:
        """Give up the right to look, before it ends by itself. Raises RedisError."""
        self._storage.run(promote.release_lock(reap.SWEEP_LOCK, self._identity))

    def pause_s(self) -> float:
        """How long to wait for the next look."""
        pause = SWEEP_EVERY_S + self._rng.uniform(-SWEEP_JITTER_S, SWEEP_JITTER_S)
        soon = self._watch.next_look_s()
        return pause if soon is None else min(pause, soon)

    def distrust_leases(self) -> None:
        """After an outage: see `LeaseWatch.distrust`."""
        self._watch.distrust()

    def _search(self) -> None:
        if self._monotonic() >= self._search_at and not self.suspects:
            self._search_at = self._monotonic() + TRY_SEARCH_EVERY_S
            enter_orphans(self._storage, self._identity, lambda: self._loop.stopping)
