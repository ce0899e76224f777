"""Held: jobs that are ready to be pushed and wait for a commit, and what happens when it has come (F019).

All that can go wrong with a job goes wrong before the commit: options, arguments, client middleware, JSON. What is left
for afterwards is one round trip to Redis. If that fails the data are committed and the jobs are not pushed; nothing can
undo the one or promise the other. So each such job is named in the log, and the error comes out of the commit: in a
worker it makes the surrounding job fail and be retried.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, Protocol

from pillion.client.bulk import BATCH_SIZE
from pillion.errors import QueueFull

Payload = dict[str, Any]

_NAMED_IN_A_LINE: Final = 50
_NOTE: Final = "The transaction is committed, but jobs of it were not pushed: the log says which."

_log = logging.getLogger("pillion")


class Pusher(Protocol):
    """A client, as far as it is needed here."""

    def is_limited(self, queue: str) -> bool:
        """Whether the queue may refuse jobs."""
        ...

    def push_prepared(self, payloads: Sequence[Payload], storage: Any) -> Awaitable[object] | None:
        """Push complete payloads in one round trip; to be awaited if the client is for asyncio."""
        ...


class Held:
    """The jobs of one push. They may wait for several transactions."""

    __slots__ = ("_client", "_left", "_lock", "_storage", "is_async", "payloads")

    def __init__(self, client: Pusher, storage: Any, payloads: Sequence[Payload], *, is_async: bool) -> None:
        self._client = client
        self._storage = storage
        self._left = 1
        self._lock = threading.Lock()
        self.payloads = payloads
        self.is_async = is_async

    def waits_for(self, count: int) -> None:
        """It takes so many commits."""
        self._left = count

    def is_due(self) -> bool:
        """Count one commit. True if it was the last one: now they are to be pushed."""
        with self._lock:
            self._left -= 1
            return self._left == 0

    def names(self) -> str:
        """Class and jid of each job."""
        return ", ".join(map(_name, self.payloads))

    def parcels(self) -> Iterator[Parcel]:
        """What goes in one round trip each. A queue that may refuse its jobs must not take others along."""
        for limited, group in groupby(self.payloads, self._limited_queue):
            while chunk := list(islice(group, BATCH_SIZE)):
                yield Parcel(self._client, self._storage, chunk, is_async=self.is_async, is_limited=limited is not None)

    def _limited_queue(self, payload: Payload) -> str | None:
        queue: str = payload["queue"]
        return queue if self._client.is_limited(queue) else None


class Parcel:
    """Jobs that go in one round trip."""

    __slots__ = ("_client", "_is_limited", "_storage", "is_async", "payloads")

    def __init__(
        self, client: Pusher, storage: Any, payloads: list[Payload], *, is_async: bool, is_limited: bool
    ) -> None:
        self._client = client
        self._storage = storage
        self._is_limited = is_limited
        self.payloads = payloads
        self.is_async = is_async

    def push(self) -> Awaitable[object] | None:
        """Push them, or return what is to be awaited for that."""
        return self._client.push_prepared(self.payloads, self._storage)

    def joined(self, other: Parcel) -> bool:
        """Take the jobs of `other` into this one, if they can go together."""
        fits = len(self.payloads) + len(other.payloads) <= BATCH_SIZE
        alike = self._client is other._client and self._storage is other._storage
        if not (fits and alike) or self._is_limited or other._is_limited:
            return False
        self.payloads += other.payloads
        return True


def release(helds: Iterable[Held]) -> None:
    """Push what has waited, in order. What could not be pushed is in the log, and the first error is raised."""
    run = _Release(helds)
    while parcel := run.next():
        try:
            parcel.push()
        except BaseException as error:  # noqa: BLE001 -- `end` raises it
            run.failed(parcel, error)
    run.end()


async def release_async(helds: Iterable[Held]) -> None:
    """As `release`, also for pushes that are to be awaited."""
    run = _Release(helds)
    while parcel := run.next():
        try:
            pushing = parcel.push()
            if pushing is not None:
                await pushing
        except BaseException as error:  # noqa: BLE001 -- `end` raises it
            run.failed(parcel, error)
    run.end()


def dropped(helds: Iterable[Held]) -> None:
    """Say in the log that these jobs are not pushed, as their transaction was not committed."""
    for names in _lines(payload for held in helds for payload in held.payloads):
        _log.info("Not pushed, as their transaction was not committed: %s", names)


def lost(helds: Iterable[Held], error: BaseException) -> None:
    """Say in the log that these jobs are not pushed, though their transaction was committed."""
    _report([payload for held in helds for payload in held.payloads], error)


class _Release:
    """One way through the parcels. After QueueFull the others go on; after any other error they would fail too."""

    def __init__(self, helds: Iterable[Held]) -> None:
        self._left = deque(_joined(helds))
        self._error: BaseException | None = None

    def next(self) -> Parcel | None:
        return self._left.popleft() if self._left else None

    def failed(self, parcel: Parcel, error: BaseException) -> None:
        missed = [parcel]
        if not isinstance(error, QueueFull):
            missed += self._left
            self._left.clear()
        _report([payload for each in missed for payload in each.payloads], error)
        self._error = self._error or error

    def end(self) -> None:
        if self._error is not None:
            raise self._error


def _joined(helds: Iterable[Held]) -> list[Parcel]:
    parcels: list[Parcel] = []
    for held in helds:
        for parcel in held.parcels():
            if not parcels or not parcels[-1].joined(parcel):
                parcels.append(parcel)
    return parcels


def _report(payloads: Sequence[Payload], error: BaseException) -> None:
    for names in _lines(payloads):
        _log.error("Not pushed, though their transaction is committed (%s: %s): %s", type(error).__name__, error, names)
    if _NOTE not in getattr(error, "__notes__", ()):
        error.add_note(_NOTE)


def _lines(payloads: Iterable[Payload]) -> Iterator[str]:
    names = map(_name, payloads)
    while some := list(islice(names, _NAMED_IN_A_LINE)):
        yield ", ".join(some)


def _name(payload: Mapping[str, Any]) -> str:
    return f"{payload['class']} {payload['jid']}"
