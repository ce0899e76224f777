"""Guardian: what the supervisor does in Redis for its workers: leases for the living, recovery for the dead.

It has no thread. The supervisor calls `tick` when `next_s` has come, and no Redis error ever leaves
it: a supervisor that dies because Redis is away would leave its workers without one.

It also looks for dead owners anywhere, as the reaper of a worker does. What a reaper knows of leases it has seen
itself, and it is not believed in its first half minute: where workers keep dying, only supervisors ever know enough.
One owner is recovered each tick, so that neither signals nor leases wait for many.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pillion.config import Config, RedisConfig
from pillion.errors import PillionError, RedisError, RedisUnavailable
from pillion.server.identity import make_identity, new_nonce
from pillion.server.lease import RETRY_EVERY_S, Lease
from pillion.server.lease_watch import RENEW_EVERY_S
from pillion.server.reaper import SWEEP_EVERY_S, Found, Reaper
from pillion.server.reporter import Reporter
from pillion.storage.connect import open_storage
from pillion.storage.ops.base import command
from pillion.storage.sync import Storage
from pillion.wire import keys

log = logging.getLogger("pillion")

NEVER = float("inf")
# Signals wait while the supervisor waits for Redis, so it waits less than others and asks again.
PATIENCE_S = 1.5


@dataclass(slots=True, frozen=True)
class News:
    """What a worker knows after it has run the app's own configuration, and its supervisor cannot.

    `redis_url` has the password in it: for the link between the two, not for logs.
    """

    redis_url: str
    timeout_s: float

    def dump(self) -> str:
        """As a message on the link."""
        return json.dumps({"redis_url": self.redis_url, "timeout_s": self.timeout_s})

    @classmethod
    def parse(cls, text: str) -> News:
        """Read such a message."""
        return cls(**json.loads(text))


class Guardian:
    """Keeps the leases of `identities()`, and takes back the jobs of workers that have died.

    `next_s` is the instant at which `tick` wants to be called, by the clock `monotonic`.
    """

    def __init__(
        self,
        config: Config,
        identities: Callable[[], Sequence[str]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._identities = identities
        self._monotonic = monotonic
        self._reporter = Reporter(config)
        self._url = ""
        self._storage: Storage | None = None
        self._lease: Lease | None = None
        self._reaper: Reaper | None = None
        self._dead: list[str] = []
        self._found: list[Found] = []
        self._renew_s = self._sweep_s = NEVER
        self._failing = False
        self.next_s = NEVER

    def learn(self, news: News) -> None:
        """Use the Redis that the workers use. They tell it each time one of them has booted."""
        if news.redis_url != self._url:
            self._disconnect()
            settings = RedisConfig(url=news.redis_url, pool_size=1, timeout_s=PATIENCE_S)
            self._storage = open_storage(Config(redis=settings))
            self._lease = Lease(self._storage, self._identities, self._reporter)
            # Poison pills are left to the next worker: only it knows the app's death handlers.
            name = make_identity(new_nonce())
            self._reaper = Reaper(
                self._storage, self._config, name, self._reporter, bury_poison=False, monotonic=self._monotonic
            )
            self._url = news.redis_url
            # The first look is that of the worker that has just booted.
            self._sweep_s = self._monotonic() + SWEEP_EVERY_S
        self._renew_s = self.next_s = self._monotonic()

    def bury(self, identity: str) -> None:
        """A worker is dead for certain: give its jobs back, now or as soon as Redis answers."""
        self._dead.append(identity)
        if self._storage is not None:
            self.next_s = self._monotonic()

    def tick(self, now_s: float) -> None:
        """Do what is due at `now_s` (monotonic). Recovery comes first: jobs wait for it.

        A recovery that cannot be finished does not keep the living from their leases.
        """
        if now_s < self.next_s or self._storage is None or self._lease is None or self._reaper is None:
            return
        try:
            try:
                refusal = self._recover_dead(self._storage, self._reaper)
            finally:
                self._renew(self._lease, now_s)
            self._sweep(self._reaper, now_s)
        except PillionError as exc:
            self._reaper.distrust_leases()
            self._bear(exc)
            return
        if refusal is not None:
            self._bear(refusal)
            return
        if self._failing:
            log.info("Redis is back: leases are renewed, jobs of dead workers given back")
        self._failing = False
        self.next_s = now_s if self._found else min(self._renew_s, self._sweep_s)

    def close(self) -> None:
        """Close the connection. What could not be given back is left to the reapers of other processes."""
        for identity in self._dead if self._url else ():  # without news no worker ever was ready: nothing is held
            log.warning(
                "Could not give back what %s held; other workers will, as soon as they see it is gone", identity
            )
        self._disconnect()

    def _disconnect(self) -> None:
        if self._storage is not None:
            self._storage.close()
        self._storage = self._lease = self._reaper = None
        self._found = []

    def _recover_dead(self, storage: Storage, reaper: Reaper) -> RedisError | None:
        """Recover our own dead; return what Redis refused. Raises RedisUnavailable.

        One whose jobs cannot be given back (its queue's key is of a wrong type) does not hold up the others.
        """
        failure: RedisError | None = None
        for identity in tuple(self._dead):
            try:
                self._recover(identity, storage, reaper)
            except RedisUnavailable:
                raise
            except RedisError as exc:
                failure = failure or exc
        return failure

    def _recover(self, identity: str, storage: Storage, reaper: Reaper) -> None:
        recovered = reaper.recover(identity, force=True)
        # It may have struck itself off before our last renewal, which then made a lease for nobody.
        storage.run(command("UNLINK", keys.alive(identity)))
        if recovered.jobs:
            log.info("Gave back %d jobs of %s, which is gone", len(recovered.jobs), identity)
        self._dead.remove(identity)

    def _renew(self, lease: Lease, now_s: float) -> None:
        if now_s >= self._renew_s:
            lease.renew()
            self._renew_s = now_s + RENEW_EVERY_S

    def _sweep(self, reaper: Reaper, now_s: float) -> None:
        """Look for dead owners if it is time to, or recover the next of those that were found."""
        if self._found:
            self._recover_found(self._found.pop(0), reaper, now_s)
        elif now_s >= self._sweep_s:
            if reaper.may_look():
                self._found = reaper.look(self._identities())
            self._sweep_s = now_s + reaper.pause_s()

    def _recover_found(self, found: Found, reaper: Reaper, now_s: float) -> None:
        if not reaper.recover_found(found):
            # A poison pill, say: give the workers an opportunity to find it.
            reaper.let_others_look()
            self._sweep_s = now_s + 2 * SWEEP_EVERY_S

    def _bear(self, exc: PillionError) -> None:
        """Redis is away: say so once an outage, and try again soon, the leases run on for 30 s."""
        if not self._failing:
            log.error("The supervisor cannot reach Redis, trying each second: %s", exc)
        self._failing = True
        self._renew_s = self.next_s = self._monotonic() + RETRY_EVERY_S
