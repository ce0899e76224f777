"""Moving the jobs of one queue to another: `migrate("old", to="new")` (F189).

Design record. The name of a queue is in three places: in the key of its list, in the field `queue` of each
payload, and in those of the jobs that will come to it, in the retry set and the schedule. A payload is
rewritten here, in the bytes that Ruby would write; a script then takes the old bytes out and puts the new
ones in, only if the old ones were still there. So it may be killed at any point, run twice, and run while
producers push and workers take: each job is always in exactly one place.

The sets go first: what is promoted from them in the meantime lands in the old list, which goes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pillion.api.call import call
from pillion.api.chunks import chunks
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.listing import FIRST_PAGE, next_size
from pillion.api.plan import Plan, ask, ask_all
from pillion.config import validate_queue_name
from pillion.errors import ConfigError, DecodeError, InvalidJob
from pillion.storage.ops import queues as ops
from pillion.storage.ops import sets as set_ops
from pillion.wire import codec, keys

Progress = Callable[[int, int], None]

# So many jobs a script call, fewer if they are large.
_JOBS_PER_CALL: Final = 50
# So many members a step of a scan: Redis compares each with the name of the queue.
_MOST_SCANNED: Final = 250
# After so many pages of which workers took every job first, nothing is left to do here.
_MOST_IDLE: Final = 100


@dataclass(slots=True, frozen=True)
class Migrated:
    """How many jobs were moved: from the queue, the schedule, the retry set and the dead set.

    `unreadable` of the `queued` were moved as they are: their bytes are no job.
    """

    queued: int = 0
    scheduled: int = 0
    retries: int = 0
    dead: int = 0
    unreadable: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.queued + self.scheduled + self.retries + self.dead


@dataclass(slots=True)
class _Tally:
    """How far a migration is. `done` counts jobs that were looked at, of `total` when it began."""

    total: int
    progress: Progress | None
    done: int = 0
    moved: dict[str, int] = field(default_factory=dict[str, int])
    unreadable: int = 0

    def add(self, where: str, looked_at: int, moved: int, *, unreadable: int = 0) -> None:
        self.done = min(self.total, self.done + looked_at)
        self.moved[where] = self.moved.get(where, 0) + moved
        self.unreadable += unreadable
        if self.progress is not None and looked_at:
            self.progress(self.done, self.total)

    def result(self) -> Migrated:
        queued, scheduled, retries, dead = (
            self.moved.get(key, 0) for key in (keys.QUEUES, keys.SCHEDULE, keys.RETRY, keys.DEAD)
        )
        return Migrated(queued, scheduled, retries, dead, self.unreadable)


class Migration:
    """Jobs of the queue `old` become jobs of the queue `to`: `Migration("old", to="new").run()`.

    Parameters: `dead` also moves those in the dead set; `fleet` is where, by default the Redis of this
    process. To undo it, migrate back. Raises ConfigError for names that are the same or that no queue
    can have.
    """

    def __init__(self, old: str, *, to: str, dead: bool = False, fleet: Fleet | None = None) -> None:
        self.old = validate_queue_name(old, "old")
        self.new = validate_queue_name(to, "to")
        if self.old == self.new:
            raise ConfigError("to", f"another queue than {old!r}", to)
        self.fleet = fleet or DEFAULT
        self._sets = (keys.SCHEDULE, keys.RETRY, keys.DEAD) if dead else (keys.SCHEDULE, keys.RETRY)

    @call(
        *("LLEN", "ZCARD", "ZSCAN", "ZSCORE", "ZREM", "ZADD", "LRANGE", "EVALSHA", "LINDEX", "RPOP", "LPUSH"),
        *("RPUSH", "SADD"),
        cost="O(N + M log M), N = jobs of the old queue, M = jobs in the sets",
        trips="1, then one for every 50 jobs moved (fewer if they are large) and one for every 250 looked at",
    )
    def run(self, *, progress: Progress | None = None) -> Plan[Migrated]:
        """Move the jobs that are there when it begins; returns how many went.

        Order is kept: moved jobs run after those that wait in the new queue already. Their due times in
        the sets stay. The field `queue` is rewritten, and `retry_queue` if it names the old queue. Bytes
        in the queue that are no job move as they are.

        Producers may push and workers may run on both queues meanwhile. Jobs pushed to the old queue
        later, and those that workers hold now and that fail later, stay with the old queue: change the
        producers first, and run it once more at the end. May be killed at any point, and repeated.

        `progress(done, total)` is called after each step.
        """
        sizes: list[int] = yield from ask_all([ops.size(self.old), *(set_ops.size(key) for key in self._sets)])
        tally = _Tally(sum(sizes), progress)
        for key, size in zip(self._sets, sizes[1:], strict=True):
            yield from self._move_in_set(key, size, tally)
        yield from self._move_list(sizes[0], tally)
        return tally.result()

    # -- the sets --------------------------------------------------------------------------------------

    def _move_in_set(self, key: str, count: int, tally: _Tally) -> Plan[None]:
        """Rewrite the jobs of the old queue in one sorted set.

        A scan, not ranks: those shift while the scheduler takes jobs out. It shows each job that stays
        at least once; one that comes twice is rewritten once.
        """
        cursor, size, left = 0, FIRST_PAGE, count
        while True:
            cursor, members = yield from ask(ops.mentions(key, self.old, cursor, size))
            moved = 0
            for part in _parts(self._rewritable(members)):
                moved += yield from ask(ops.rewrite_members(key, part))
            looked_at = min(left, size) if cursor else left
            left -= looked_at
            tally.add(key, looked_at, moved)
            # Only what matches is sent, so this bounds a page from above.
            size = next_size(size, len(members), sum(map(len, members))) if members else 2 * size
            size = min(size, _MOST_SCANNED)
            if not cursor:
                return

    def _rewritable(self, members: Sequence[bytes]) -> Iterator[ops.Rewritten]:
        for member in members:
            rewritten = rewrite(member, self.old, self.new)
            if rewritten is not None and rewritten.was_in_old:
                yield member, rewritten.payload

    # -- the queue -------------------------------------------------------------------------------------

    def _move_list(self, count: int, tally: _Tally) -> Plan[None]:
        """Move as many jobs as there were when it began, from the tail, the oldest first."""
        size, left, idle = FIRST_PAGE, count, 0
        while left > 0 and idle < _MOST_IDLE:
            payloads = (yield from ask(ops.page(self.old, -min(size, left), -1)))[::-1]
            if not payloads:
                break
            before = left
            for part in _parts(self._readdressed(payloads)):
                moved = yield from ask(ops.move_oldest(self.old, self.new, part))
                unreadable = sum(stored is pushed for stored, pushed in part)
                tally.add(keys.QUEUES, moved, moved, unreadable=min(unreadable, moved))
                left -= moved
            idle = 0 if left < before else idle + 1
            size = next_size(size, len(payloads), sum(map(len, payloads)))
        tally.add(keys.QUEUES, left, 0)

    def _readdressed(self, payloads: Sequence[bytes]) -> Iterator[ops.Rewritten]:
        for payload in payloads:
            rewritten = rewrite(payload, self.old, self.new)
            yield payload, payload if rewritten is None else rewritten.payload

    def __repr__(self) -> str:
        return f"<Migration {self.old} -> {self.new}>"


def migrate(
    old: str, *, to: str, dead: bool = False, progress: Progress | None = None, fleet: Fleet | None = None
) -> Migrated:
    """Move the jobs of the queue `old` to the queue `to`. The same as `Migration(old, to=to).run()`, which see.

    From an event loop: `await Migration(old, to=to).run.aio()`.
    """
    return Migration(old, to=to, dead=dead, fleet=fleet).run(progress=progress)


# -- one payload ---------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True)
class Rewritten:
    """A payload that belongs to the new queue; `was_in_old` says whether it named the old one before."""

    payload: bytes
    was_in_old: bool


def rewrite(payload: bytes, old: str, new: str) -> Rewritten | None:
    """The payload as a job of `new`, in Ruby's bytes; None if it is no job that can be read and written."""
    try:
        item = codec.loads_job(payload)
        was_in_old = item.get("queue") == old
        item["queue"] = new
        if item.get("retry_queue") == old:
            item["retry_queue"] = new
        return Rewritten(codec.dumps(item), was_in_old)
    except (DecodeError, InvalidJob):
        return None


def _parts(jobs: Iterator[ops.Rewritten]) -> Iterator[list[ops.Rewritten]]:
    return chunks(jobs, lambda job: len(job[0]) + len(job[1]), most=_JOBS_PER_CALL)
