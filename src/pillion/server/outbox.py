"""Outbox: what has been decided about finished jobs and not yet been told to Redis.

It is filled by the threads that run jobs, and emptied into the next exchange with Redis. If that
exchange fails its ops stay here and are sent again: each of them does nothing the second time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import work
from pillion.storage.ops.base import Op

log = logging.getLogger("pillion")

MAX_ACKS_PER_OP = 2000


@dataclass(slots=True)
class Parcel:
    """One op on its way, and the units it settles.

    `sent_before`: a reply that counts fewer units than expected is no news, they may be settled already.
    """

    op: Op[Any]
    units: Sequence[UnitOfWork]
    sent_before: bool = False


def utc_today() -> date:
    """The UTC day, for the daily counters."""
    return datetime.now(UTC).date()


class Outbox:
    """Filled from any thread without a lock; `pack` and `sent` are called by one thread at a time.

    `held` is the process's map of leases (token to unit); a unit leaves it when Redis has answered.
    """

    def __init__(
        self,
        routes: Sequence[work.Route],
        held: dict[int, UnitOfWork],
        today: Callable[[], date] = utc_today,
    ) -> None:
        self._held = held
        self._inflight = {route.queue: route.inflight for route in routes}
        self._today = today
        self._finished: deque[UnitOfWork] = deque()
        self._settled: deque[Parcel] = deque()
        self._unsent: list[Parcel] = []
        self.delivered = 0  # jobs whose outcome has reached Redis, counted for the pace of fetching
        self.acknowledge = self._finished.append  # bound once: it is called for every job

    def settle(self, unit: UnitOfWork, op: Op[int]) -> None:
        """Send `op`, which settles `unit` in another way than by plain acknowledgement."""
        self._settled.append(Parcel(op, (unit,)))

    def __bool__(self) -> bool:
        return bool(self._finished or self._settled or self._unsent)

    def enclose(self, op: Op[int], units: Sequence[UnitOfWork] = ()) -> None:
        """Send `op` with the rest, before all that is decided from now on; `units` are not ours after it."""
        self._unsent.append(Parcel(op, units, sent_before=True))

    def pack(self) -> list[Parcel]:
        """Everything there is to send now, oldest first. It stays here until `sent`."""
        finished = self._take_finished()
        if finished:
            self._unsent.append(Parcel(self._acknowledgement(finished), finished))
        while self._settled:
            self._unsent.append(self._settled.popleft())
        return list(self._unsent)

    def sent(self, parcels: Sequence[Parcel], replies: Sequence[Any]) -> list[BaseException]:
        """Take what Redis answered. What it refused stays, to be sent again; the errors are returned."""
        errors: list[BaseException] = []
        refused: list[Parcel] = []
        for parcel, reply in zip(parcels, replies, strict=True):
            if isinstance(reply, BaseException):
                errors.append(reply)
                refused.append(parcel)
                continue
            if isinstance(reply, work.Settled) and reply.failure:
                log.error("A step beside the outcome of %r failed, the job is settled: %s", parcel.units, reply.failure)
            self.delivered += len(parcel.units)
            let_go = self._held.pop
            for unit in parcel.units:
                let_go(unit.token, None)
            if reply < len(parcel.units) and not parcel.sent_before:
                _warn_of_lost_leases(parcel.units, len(parcel.units) - reply)
        self._unsent = refused
        return errors

    def not_sent(self) -> None:
        """The exchange broke: what was packed may or may not have been carried out."""
        for parcel in self._unsent:
            parcel.sent_before = True

    def _take_finished(self) -> list[UnitOfWork]:
        next_one = self._finished.popleft  # nobody else takes, others only add
        return [next_one() for _ in range(min(len(self._finished), MAX_ACKS_PER_OP))]

    def _acknowledgement(self, finished: Sequence[UnitOfWork]) -> Op[int]:
        tokens: dict[str, list[int]] = {}
        for unit in finished:
            tokens.setdefault(self._inflight[unit.queue], []).append(unit.token)
        return work.acknowledge(tokens, self._today())


def _warn_of_lost_leases(units: Sequence[UnitOfWork], lost: int) -> None:
    which = repr(units[0]) if len(units) == 1 else f"{lost} of {len(units)} finished jobs"
    log.warning("Lease lost: %s. Another process was given the job; nothing was changed here.", which)
