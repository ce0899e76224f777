"""Leases: the jobs this process holds, and everything it says to Redis about them.

Design record. Redis moves a job from its queue into this process's in-flight hash before it is sent
here; `held` is this process's copy of that hash. A lease leaves both when its outcome was carried
out. What has been decided waits in the outbox and goes along with the next exchange, whichever it is.

After a broken exchange the two copies can differ, in one direction only: Redis may list leases whose
reply was lost. `reconcile` hands those back. Everything else that was sent may be sent again: it does
nothing the second time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count, repeat
from typing import Any, Protocol

from pillion.server.outbox import Outbox
from pillion.server.prefetch import MAX_BYTES
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import pause, work
from pillion.storage.ops.base import Op

log = logging.getLogger("pillion")

STRAY_TOKENS = 1_000_000  # far more than one fetch can lease


class Line(Protocol):
    """The way to Redis: `storage.link.Link`."""

    def exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send all at once; an op's error is its result. Raises RedisError if the line broke."""
        ...


class Leases:
    """What one capsule holds. Safe to use from any thread: one exchange at a time.

    `on_refusal` is told when Redis refused to carry out an outcome; the outcome is kept and sent
    again. Every method that talks to Redis raises RedisError.
    """

    def __init__(self, routes: Sequence[work.Route], line: Line, on_refusal: Callable[[BaseException], None]) -> None:
        self._routes = {route.queue: route for route in routes}
        self._line = line
        self._on_refusal = on_refusal
        self._lock = threading.Lock()
        self._next_token = 1
        self._unsure = False  # Redis may know of leases that we do not
        self.held: dict[int, UnitOfWork] = {}
        self.outbox = Outbox(routes, self.held)
        self.paused: frozenset[str] = frozenset()  # the queues that were paused when Redis was asked last
        self.pauses_failure = ""  # why it could not say, "" if it could
        self._pauses_seen_at = 0.0

    def fetch(
        self, routes: Sequence[work.Route], count: int, *, first: Sequence[Op[Any]], drain: bool
    ) -> list[UnitOfWork]:
        """One round trip: the outbox goes out, then `first`, then up to `count` new leases come in.

        With `drain`, what lies in the private lists of `routes` is leased too, whatever the count.
        """
        with self._lock:
            if self._unsure:
                self._reconcile((), drain=True)
            fetch = work.fetch(
                routes, count=count, max_bytes=MAX_BYTES, first_token=self._next_token, drain_wait_lists=drain
            )
            self._unsure = True  # until the reply is here
            # Leases whose reply is lost bear the next tokens. Those must never be given out again, or
            # a later lease would overwrite a stray before it is found.
            tokens_from = self._next_token
            self._next_token += STRAY_TOKENS
            found = self._exchange([*first, fetch])[-1]
            if isinstance(found, BaseException):
                raise found  # still unsure: what a script did before it failed is not undone
            self._unsure = False
            self._next_token = tokens_from
            leased: list[tuple[int, list[bytes]]] = found
            if isinstance(found, work.Fetched):
                self._note_pauses(frozenset(routes[index].queue for index in found.paused), found.pauses_failure)
            return self._hold([(routes[index].queue, payloads) for index, payloads in leased])

    def adopt(self, moved: Sequence[tuple[work.Route, bytes]]) -> list[UnitOfWork]:
        """Lease what blocking moves brought, without a round trip: it may be run at once.

        It is safe where it is, in the private list. The lease goes out with the next exchange, before
        anything that is decided about the job.
        """
        with self._lock:
            units = self._hold([(route.queue, [payload]) for route, payload in moved])
            for (route, payload), unit in zip(moved, units, strict=True):
                self.outbox.enclose(work.adopt(route, unit.token, payload))
            return units

    def flush(self) -> None:
        """Tell Redis now what has been decided."""
        with self._lock:
            self._exchange([])

    def look_at_pauses(self, *, max_age_s: float = 0.0) -> None:
        """Ask which queues are paused, unless `paused` is younger than that."""
        with self._lock:
            if time.monotonic() - self._pauses_seen_at < max_age_s:
                return
            (found,) = self._exchange([pause.paused_queues()])
            if isinstance(found, BaseException):
                self._note_pauses(frozenset(), str(found))
            else:
                self._note_pauses(found & self._routes.keys(), "")

    def carry_out(self, ops: Sequence[Op[Any]]) -> None:
        """Send the outbox and `ops`, whose results do not matter."""
        with self._lock:
            self._exchange(ops)

    def hand_back(self, units: Sequence[UnitOfWork]) -> None:
        """Give jobs back unchanged to the head of their queues, after telling what is finished.

        They are not ours any more, even if this raises: then the next exchange says it again.
        """
        groups: dict[str, list[UnitOfWork]] = {}
        for unit in units:
            groups.setdefault(unit.queue, []).append(unit)
        with self._lock:
            self.outbox.pack()
            for queue, group in groups.items():
                op = work.give_back(self._routes[queue], [unit.token for unit in group])
                self.outbox.enclose(op, group)
            self._exchange([])

    def reconcile(self, first: Sequence[Op[Any]] = (), *, drain: bool) -> None:
        """Carry out `first`, then hand back what Redis counts as ours and we do not hold.

        With `drain` also what lies in the private lists: only while no blocking move is under way,
        or a job that one has just brought would be taken from under it.
        """
        with self._lock:
            self._reconcile(first, drain=drain)

    def let_go(self, first: Sequence[Op[Any]]) -> None:
        """The end: settle what is decided, carry out `first`, and hand everything else back."""
        with self._lock:
            self._exchange([])
            # What is still held now was not settled (its thread is stuck, or failed inside us).
            self.held.clear()
            self._reconcile(first, drain=True)

    # -- inside; `_lock` is held -----------------------------------------------------------------

    def _note_pauses(self, paused: frozenset[str], failure: str) -> None:
        """The lock makes what was noted last also what Redis said last."""
        self.paused, self.pauses_failure, self._pauses_seen_at = paused, failure, time.monotonic()

    def _hold(self, found: Sequence[tuple[str, list[bytes]]]) -> list[UnitOfWork]:
        """Note the leases of the payloads found in each queue; the tokens count up."""
        first = self._next_token
        units: list[UnitOfWork] = []
        for queue, payloads in found:
            units += map(UnitOfWork, repeat(queue), count(first + len(units)), payloads)
        self._next_token = first + len(units)
        self.held.update(zip(count(first), units, strict=False))
        return units

    def _exchange(self, ops: Sequence[Op[Any]]) -> list[Any]:
        """Send the outbox and `ops` in one packet; return the results of `ops`."""
        packed = self.outbox.pack()
        try:
            replies = self._line.exchange([*(parcel.op for parcel in packed), *ops])
        except BaseException:
            self.outbox.not_sent()
            raise
        errors = self.outbox.sent(packed, replies[: len(packed)])
        if errors:
            self._on_refusal(errors[0])
        return replies[len(packed) :]

    def _reconcile(self, first: Sequence[Op[Any]], *, drain: bool) -> None:
        held: dict[str, list[int]] = {queue: [] for queue in self._routes}
        for unit in self.held.values():
            held[unit.queue].append(unit.token)
        strays = [work.reconcile(route, held[queue], drain=drain) for queue, route in self._routes.items()]
        replies = self._exchange([*first, *strays])[len(first) :]
        for reply in replies:
            if isinstance(reply, BaseException):
                raise reply
        if any(replies):
            log.warning("Handed back %d jobs whose fetch was cut off on the way here", sum(replies))
        self._unsure = False
