"""Queues and the jobs that wait in them (behaviour 18)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final, Protocol, cast

from pillion.api import undo
from pillion.api.call import call, owner_call, stream_call
from pillion.api.filters import yes_or_no
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.listing import MOST_ENTRIES, Page, Walk
from pillion.api.plan import Item, Plan, Stream, ask, ask_all
from pillion.api.record import JobData
from pillion.api.undo import DEFAULT_UNDO_S, REMOVE_ALL_COMMANDS, Removed
from pillion.config import validate_queue_name
from pillion.errors import ConfigError
from pillion.storage.ops import pause as pause_ops
from pillion.storage.ops import push as push_ops
from pillion.storage.ops import queues as ops
from pillion.storage.ops.base import Op

_SCAN_COST: Final = "O(N), N = entries, in pages of at most 1000 and about 1 MB"
_LONGEST_CURSOR: Final = 18  # digits: Redis counts up to 2**63


class _Filter(Protocol):
    """What `find` needs of a Filter."""

    def matches(self, entry: JobData, /) -> bool:
        """Whether this job is meant."""
        ...


class JobRecord(JobData):
    """A job as it waited in a queue when it was read. It may be running or done by now."""

    def __init__(self, value: bytes, queue: str, *, near_tail: bool = False, fleet: Fleet | None = None) -> None:
        super().__init__(value, queue)
        self.fleet = fleet or DEFAULT
        self._near_tail = near_tail

    def latency(self) -> float:
        """Seconds since it entered its queue (else: since it was pushed); 0.0 if neither is known. Asks nobody."""
        return self.waited_s(self.fleet.clock())

    @call("LREM", cost="O(N), N = entries between it and the nearer end of the queue")
    def delete(self) -> Plan[bool]:
        """Delete the job, without undo. False: it was no longer in the queue, a worker was faster.

        Of several entries with exactly these bytes, one is deleted.
        """
        return (yield from ask(ops.delete(self.queue, self.value, near_tail=self._near_tail))) > 0


def _all(fleet: Fleet) -> Plan[list[Queue]]:
    """Every queue that was ever pushed to and not cleared, sorted by name."""
    names = yield from ask(ops.names())
    # Ruby lets any name through: what is there can be seen, and cleared.
    return [_known(name, fleet) for name in names]


def _paused(fleet: Fleet) -> Plan[list[Queue]]:
    """Every queue that is paused, sorted by name, also one that was never pushed to."""
    names = yield from ask(pause_ops.paused_queues())
    return [_known(name, fleet) for name in sorted(names)]


class Queue:
    """A queue, whether it exists or not: iterate over it, page through it, pause it, clear it.

    Parameters: `name` without prefix; `fleet` is where, by default the Redis that this process pushes to.
    Raises ConfigError for a name that no queue can have. Every call raises RedisError if Redis fails.
    """

    all = owner_call("SMEMBERS", cost="O(Q), Q = queues")(_all)
    paused = owner_call("SMEMBERS", cost="O(Q), Q = paused queues")(_paused)

    def __init__(self, name: str, *, fleet: Fleet | None = None) -> None:
        self.name = validate_queue_name(name)
        self.fleet = fleet or DEFAULT

    # -- looking -------------------------------------------------------------------------------------

    @call("LLEN", cost="O(1)")
    def size(self) -> Plan[int]:
        """How many jobs wait."""
        return (yield from ask(ops.size(self.name)))

    @call("LINDEX", cost="O(1)")
    def latency(self) -> Plan[float]:
        """Seconds that the job which runs next has waited; 0.0 if none waits."""
        oldest = yield from ask(push_ops.oldest_job(self.name))
        return 0.0 if oldest is None else JobData(oldest).waited_s(self.fleet.clock())

    @stream_call("LLEN", "LRANGE", "MULTI", "EXEC", cost=_SCAN_COST, trips="one for every page")
    def each(self) -> Stream[JobRecord]:
        """The jobs, the newest first; `for job in queue` and `async for job in queue` do the same.

        Others may push, take and delete meanwhile, and so may you. A job that waits all the time comes
        at least once. It comes twice if more than 10,000 jobs leave the queue between two pages, or at
        once if it is in the queue twice. A job that comes or goes meanwhile may come or not. The only
        way to miss one that waits all the time: more than 100 jobs are put back at the tail, to run
        next, between two pages, as an undo does.
        """
        walk = Walk()
        while not walk.is_done:
            records, _ = yield from self._next(walk)
            for record in records:
                yield Item(record)

    def __iter__(self) -> Iterator[JobRecord]:
        return self.each()

    def __aiter__(self) -> AsyncIterator[JobRecord]:
        return self.each.aio()

    @call("LLEN", "LRANGE", "MULTI", "EXEC", cost="O(S + N), S = distance to the nearer end, N = entries of the page")
    def page(self, start: int = 0, size: int = 25, *, oldest_first: bool = False) -> Plan[Page[JobRecord]]:
        """`size` jobs (1 to 1000) from position `start` on, counted from 0 at the newest or the oldest one.

        Its cursor is the next `start`, as text. Raises ConfigError for numbers that are out of range.
        """
        start, size = _whole("start", start, 0, 2**62), _whole("size", size, 1, MOST_ENTRIES)
        bounds = (-start - size, -start - 1) if oldest_first else (start, start + size - 1)
        total, values = yield from ask_all([ops.size(self.name), ops.page(self.name, *bounds)], atomic=True)
        if oldest_first:
            values = values[::-1][: max(0, total - start)]
        near_tail = oldest_first == (2 * start < total)
        records = [self._record(value, near_tail=near_tail) for value in values]
        end = start + len(records)
        return Page(records, str(end) if records and end < total else None, total)

    @call("LLEN", "LRANGE", "MULTI", "EXEC", cost=_SCAN_COST, trips="one for every page until it is found")
    def find_job(self, jid: str) -> Plan[JobRecord | None]:
        """The job with this jid, sought from the newest on; None if it does not wait here.

        This reads the whole queue if need be. `find` can stop after some time. Raises ConfigError for an
        empty jid.
        """
        if not isinstance(cast("object", jid), str) or not jid:
            raise ConfigError("jid", "a text that is not empty", jid)
        wanted, walk = jid.encode(errors="surrogatepass"), Walk()
        while not walk.is_done:
            records, _ = yield from self._next(walk)
            for record in records:
                # The bytes are looked at first: to parse every job would take ten times as long. With escapes
                # in them they may say it in another way.
                if (wanted in record.value or b"\\" in record.value) and record.jid == jid:
                    return record
        return None

    @call("LLEN", "LRANGE", "MULTI", "EXEC", cost=_SCAN_COST, trips="one for every page")
    def find(
        self,
        what: str | _Filter | Callable[[JobRecord], bool],
        *,
        limit: int = 25,
        budget_s: float = 1.0,
        cursor: str | None = None,
    ) -> Plan[Page[JobRecord]]:
        """Jobs that fit, the newest first: at most `limit` (1 to 1000), found within about `budget_s` seconds.

        `what` is a text that occurs in the stored job (a jid, a class, an argument; upper and lower case
        told apart), a Filter, or any function of a job that returns a bool. The page may be empty and
        still have a `cursor`: then go on with `find(what, cursor=page.cursor)` to look further.
        While workers take jobs, one may come again on the next page. Raises ConfigError for what is
        none of these, and for a cursor that did not come from here.
        """
        fits, limit = _fits(what), _whole("limit", limit, 1, MOST_ENTRIES)
        walk, found, total = Walk(_left(cursor)), list[JobRecord](), 0
        ends_at = self.fleet.clock() + _seconds("budget_s", budget_s)
        while not walk.is_done:
            records, total = yield from self._next(walk)
            for index, record in enumerate(records):
                if fits(record):
                    found.append(record)
                if len(found) == limit:
                    left = walk.left_behind(index)
                    return Page(found, str(left) if left else None, total)
            if self.fleet.clock() >= ends_at:
                break
        return Page(found, str(walk.left) if walk.left else None, total)

    # -- acting --------------------------------------------------------------------------------------

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(1), also for a million jobs")
    def clear(self, *, undo_s: float = DEFAULT_UNDO_S) -> Plan[Removed]:
        """Remove all jobs and the queue's name; nothing that runs is stopped.

        `Undo(removed.undo_id).restore()` puts them back for `undo_s` seconds, a day if you say nothing.
        Until then they need memory; 0 frees it at once, and for good. Raises ConfigError for a time that
        is none.
        """
        return (yield from undo.remove_all(undo.new_bin(self.fleet, "queue", self.name, undo_s)))

    @call("SISMEMBER", cost="O(1)")
    def is_paused(self) -> Plan[bool]:
        """Whether workers leave its jobs alone."""
        return (yield from ask(pause_ops.is_paused(self.name)))

    @call("EVALSHA", "SREM", "SADD", "PUBLISH", cost="O(W), W = worker processes")
    def pause(self) -> Plan[bool]:
        """Let workers start none of its jobs until `unpause`; what runs goes on. False: it was paused already."""
        return (yield from ask(pause_ops.pause(self.name)))

    @call("EVALSHA", "SREM", "PUBLISH", cost="O(W), W = worker processes")
    def unpause(self) -> Plan[bool]:
        """Let workers take its jobs again. False: it was not paused."""
        return (yield from ask(pause_ops.unpause(self.name)))

    # -- inside --------------------------------------------------------------------------------------

    def _next(self, walk: Walk) -> Plan[tuple[list[JobRecord], int]]:
        """The next new entries of a walk, and how many jobs wait."""
        asked: list[Op[Any]] = [ops.size(self.name), ops.page(self.name, *walk.bounds())]
        length, values = yield from ask_all(asked, atomic=True)
        new = walk.take(length, values)
        near_tail = 2 * (walk.left or 0) < length
        return [self._record(value, near_tail=near_tail) for value in new], length

    def _record(self, value: bytes, *, near_tail: bool) -> JobRecord:
        return JobRecord(value, self.name, near_tail=near_tail, fleet=self.fleet)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Queue) and (other.name, other.fleet) == (self.name, self.fleet)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"


def _known(name: str, fleet: Fleet) -> Queue:
    """A queue of any name."""
    queue = Queue.__new__(Queue)
    queue.name, queue.fleet = name, fleet
    return queue


# -- what was given --------------------------------------------------------------------------------


def _fits(what: object) -> Callable[[JobRecord], bool]:
    if isinstance(what, str) and what:
        wanted = what.encode(errors="replace")
        return lambda job: wanted in job.value
    matches: object = getattr(what, "matches", what)
    return yes_or_no("what", matches, "a text that is not empty, a Filter, or a function of a job that returns a bool")


def _left(cursor: object) -> int | None:
    if cursor is None:
        return None
    if isinstance(cursor, str) and cursor.isascii() and cursor.isdecimal() and len(cursor) <= _LONGEST_CURSOR:
        return int(cursor)
    raise ConfigError("cursor", "the cursor of the page before, unchanged, or None to begin", cursor)


def _whole(option: str, given: Any, low: int, high: int) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and low <= given <= high:
        return given
    expected = f"a whole number from {low} to {high}" if high <= MOST_ENTRIES else f"a whole number from {low} on"
    raise ConfigError(option, expected, given)


def _seconds(option: str, given: Any) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and given >= 0:
        return given
    raise ConfigError(option, "seconds, 0 or more", given)
