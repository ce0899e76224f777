"""Lease: keeps telling Redis that processes live.

Design record. The lease of a process is a key that vanishes after 30 s unless it is renewed, which
happens every 5 s. Where there is a supervisor it renews for its children: a job that holds Python's
global lock for minutes stops every thread of its own process, but not the supervisor, so it is not
taken for dead. An embedded worker has no supervisor and renews from a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from pillion.config import Config
from pillion.errors import RedisError
from pillion.server.lease_watch import RENEW_EVERY_S
from pillion.server.reporter import Reporter
from pillion.server.service import PeriodicService
from pillion.storage.ops import reap
from pillion.storage.sync import Storage

log = logging.getLogger("pillion")

RETRY_EVERY_S = 1.0


class Lease:
    """A Service that renews leases every five seconds, each second while Redis fails.

    Parameters: `identities` is asked each time whose leases to renew. `reporter` is told when renewing
    begins to fail (without one it is logged).
    """

    def __init__(
        self, storage: Storage, identities: Callable[[], Iterable[str]], reporter: Reporter | None = None
    ) -> None:
        self._storage = storage
        self._identities = identities
        self._reporter = reporter or Reporter(Config())
        self._loop = PeriodicService("lease", self._tick, self._reporter, error_wait_s=RETRY_EVERY_S)
        self._held: set[str] = set()
        self._failing = False

    def start(self) -> None:
        """Renew now, and from now on."""
        self._loop.start()

    def quiet(self) -> None:
        """Nothing changes: running jobs need their lease to the end."""

    def stop(self, deadline_s: float) -> None:
        """Renew no more. The leases end with `Ownership.release`, or by themselves."""
        self._loop.stop(deadline_s)

    def renew(self) -> list[str]:
        """Renew all leases once; return those that had run out in our hands. Raises RedisError."""
        identities = list(self._identities())
        replies = self._storage.run_all([reap.renew(identity) for identity in identities])
        renewed = dict(zip(identities, replies, strict=True))
        # The first time a lease is begun here it may have been missing with good reason.
        lapsed = [identity for identity, ran in renewed.items() if not ran and identity in self._held]
        self._held = set(identities)
        for identity in lapsed:
            log.warning(
                "The lease of %s had run out and begins anew. Its running jobs may have been given to others:"
                " they then run twice.",
                identity,
            )
        return lapsed

    def _tick(self) -> float:
        try:
            self.renew()
        except RedisError as exc:
            # Said once an outage: at one try a second the log would hold nothing else.
            if not self._failing:
                self._failing = True
                self._reporter.report(exc, {"context": "Cannot renew the lease; trying each second"})
            return RETRY_EVERY_S
        if self._failing:
            self._failing = False
            log.info("Leases are renewed again")
        return RENEW_EVERY_S
