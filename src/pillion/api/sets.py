"""ScheduledSet, RetrySet, DeadSet: the jobs that wait for a time, and those that died (behaviour 18)."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from pillion.api import bulk
from pillion.api.bulk import Progress, Result, Stop
from pillion.api.call import call, stream_call
from pillion.api.entry import (
    TO_DEAD_COMMANDS,
    TO_QUEUE_COMMANDS,
    TO_TIME_COMMANDS,
    Page,
    SortedEntry,
    stored_form,
    to_time,
)
from pillion.api.filters import Filter, Moment, duration_of, require, seconds_of
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Item, Plan, Stream, ask, ask_all
from pillion.api.ranking import MAX_PAGE, WALK_COMMANDS, Bounds, Cursor, Order, Walker, order_of, skipping
from pillion.api.undo import (
    DEFAULT_UNDO_S,
    REMOVE_ALL_COMMANDS,
    REMOVE_MEMBERS_COMMANDS,
    Removed,
    new_bin,
    remove_all,
)
from pillion.client.intake import WAKE_WITHIN_S
from pillion.errors import ConfigError
from pillion.storage.ops import promote as promote_ops
from pillion.storage.ops import push as push_ops
from pillion.storage.ops import sets as ops
from pillion.storage.ops.sets import Scored
from pillion.wire import keys
from pillion.wire.timestamps import Interval, due_at

Payload = Mapping[str, Any] | bytes

_PAGE_BYTES: Final = 1_000_000
_PAGE_COST: Final = "O(log N + P), N = entries of the set, P = those of the page"
_BULK_COST: Final = "O(N + M log N), N = entries of the set, M = those that match"
_BULK_TRIPS: Final = "2 for every 1000 entries"
_TRIM_COMMANDS: Final = ("EVALSHA", "ZCOUNT", "ZCARD", "ZREMRANGEBYRANK")
_BULK_TO_QUEUE: Final = tuple(dict.fromkeys((*WALK_COMMANDS, "ZCARD", *TO_QUEUE_COMMANDS)))
_BULK_TO_DEAD: Final = tuple(dict.fromkeys((*WALK_COMMANDS, "ZCARD", *TO_DEAD_COMMANDS)))
_BULK_TO_BIN: Final = tuple(dict.fromkeys((*WALK_COMMANDS, "ZCARD", "EVALSHA", *REMOVE_MEMBERS_COMMANDS)))
_BULK_TO_TIME: Final = tuple(dict.fromkeys((*WALK_COMMANDS, "ZCARD", *TO_TIME_COMMANDS)))


class JobSet:
    """What the three sets have in common. Parameter: `fleet` says which Redis, by default that of this process.

    Entries are in the order of their times, and of their bytes where these are equal. `order` is "desc"
    (the latest time first) or "asc". Reading goes in pages of up to 1000 entries or about 1 MB. It is
    exact while the set changes: what is there all the time is seen once. All calls raise RedisError.
    """

    name: ClassVar[str]

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    # -- reading -----------------------------------------------------------------------------------

    @call("ZCARD", cost="O(1)")
    def size(self) -> Plan[int]:
        """How many entries there are now."""
        return (yield from ask(ops.size(self.name)))

    @stream_call(*WALK_COMMANDS, cost=_PAGE_COST, trips="1 a page")
    def each(self, *, order: Order = "desc") -> Stream[SortedEntry]:
        """Every entry; `for entry in RetrySet()` is the same. They may be acted on, or deleted by others, meanwhile."""
        walker = Walker(self.name, order_of(order))
        while not walker.finished:
            for scored in (yield from walker.next()):
                yield Item(self._entry(scored))

    def __iter__(self) -> Iterator[SortedEntry]:
        return self.each()

    def __aiter__(self) -> AsyncIterator[SortedEntry]:
        return self.each.aio()

    @call(*WALK_COMMANDS, cost=_PAGE_COST, trips="1, more if entries are large or the set has changed a lot")
    def page(self, cursor: Cursor | None = None, *, size: int = 25, order: Order = "desc", skip: int = 0) -> Plan[Page]:
        """The next `size` entries (1 to 1000) from `cursor` on, which an earlier page gave; None: from the start.

        Fewer, if they are 1 MB together before that. Without a cursor the first `skip` entries are left
        out, for those who count pages: exact only as long as the set stays as it is.
        """
        _check_count("size", size, least=1, most=MAX_PAGE)
        _check_count("skip", skip, least=0)
        if cursor is None:
            cursor = yield from skipping(self.name, order_of(order), skip)
        walker = Walker(self.name, order_of(order), cursor)
        entries: list[SortedEntry] = []
        weight = 0
        while not walker.finished and len(entries) < size and weight < _PAGE_BYTES:
            page = yield from walker.next(size - len(entries))
            entries += map(self._entry, page)
            weight += sum(len(scored.member) for scored in page)
        return Page(entries, walker.cursor, len(entries))

    @stream_call(*WALK_COMMANDS, cost="O(N), N = entries of the set", trips="1 for every 1000 entries")
    def scan(self, text: str, *, order: Order = "desc") -> Stream[SortedEntry]:
        """Every entry with `text` in its stored bytes, literally. Reads the whole set, page by page.

        Raises ConfigError for an empty text.
        """
        _check_text("text", text, "each() gives every entry.")
        literal = text.encode(errors="surrogatepass")
        walker = Walker(self.name, order_of(order))
        while not walker.finished:
            for scored in (yield from walker.next()):
                if literal in scored.member:
                    yield Item(self._entry(scored))

    @call(*WALK_COMMANDS, cost="O(N), N = entries of the set", trips="up to 1 for every 1000 entries")
    def find_job(self, jid: str) -> Plan[SortedEntry | None]:
        """The entry with this jid, or None; of several the one with the latest time.

        Reads the set until it is found: with its score, `fetch` is quicker. A JSON text may be written in
        several ways; entries with escapes in them are read to see what they say.
        """
        _check_text("jid", jid)
        literal = jid.encode(errors="surrogatepass")
        walker = Walker(self.name)
        while not walker.finished:
            for scored in (yield from walker.next()):
                if (literal in scored.member or b"\\" in scored.member) and self._entry(scored).jid == jid:
                    return self._entry(scored)
        return None

    @call(
        *WALK_COMMANDS,
        cost="O(log N + M), N = entries of the set, M = those with such a time",
        trips="2, more if M is large",
    )
    def fetch(self, at: Moment | tuple[Moment, Moment], jid: str | None = None) -> Plan[list[SortedEntry]]:
        """The entries with exactly this time, or from the first to the second, both included; those of one `jid` only.

        Times are aware datetimes or epoch seconds. All at once: for a long time use `find` with `at_from`.
        """
        low, high = at if isinstance(at, tuple) else (at, at)
        bounds = Bounds(seconds_of("at", low), seconds_of("at", high))
        walker = Walker(self.name, "asc", bounds=bounds)
        found: list[SortedEntry] = []
        while not walker.finished:
            entries = map(self._entry, (yield from walker.next()))
            found += (entry for entry in entries if jid is None or entry.jid == jid)
        return found

    @call(*WALK_COMMANDS, cost="O(N), N = entries looked at", trips="1 for every 1000 entries")
    def find(
        self,
        which: Filter,
        *,
        limit: int = 100,
        budget_s: float = 0.08,
        cursor: Cursor | None = None,
        order: Order = "desc",
    ) -> Plan[Page]:
        """The next entries that fit: up to `limit`, or as many as are found within `budget_s` seconds.

        Call it again with the page's cursor until that is None; a page may be empty before that. It always
        gets further by some entries, however small the budget.
        """
        _check_count("limit", limit, least=1)
        wanted = require(which)
        walker = Walker(self.name, order_of(order), cursor, wanted.bounds)
        found: list[SortedEntry] = []
        scanned = 0
        until = time.monotonic() + duration_of("budget_s", budget_s)
        while not walker.finished:
            page = yield from walker.next()
            for index, entry in enumerate(map(self._entry, page)):
                scanned += 1
                if wanted.matches(entry):
                    found.append(entry)
                if len(found) == limit:
                    return Page(found, walker.cursor_after(page, index), scanned)
            if time.monotonic() >= until:
                break
        return Page(found, walker.cursor, scanned)

    # -- changing ----------------------------------------------------------------------------------

    @call(*_BULK_TO_BIN, cost=_BULK_COST, trips=_BULK_TRIPS)
    def delete(
        self,
        which: Filter,
        *,
        undo_s: float = DEFAULT_UNDO_S,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Plan[Result]:
        """Remove the entries that fit; for `undo_s` seconds `Undo(result.undo_id).restore()` puts them back.

        That is a day if you say nothing; until then they need memory. 0 gives it back at once, for good.

        `limit`, `stop`, `progress` and the result are as for `RetrySet.retry`.
        """
        action = bulk.ToBin(new_bin(self.fleet, "set", self.name, undo_s))
        return (yield from self._bulk(action, which, limit, stop, progress))

    @call(*_BULK_TO_TIME, cost=_BULK_COST, trips="3 for every 1000 entries")
    def reschedule(
        self,
        which: Filter,
        at: Interval | None = None,
        *,
        by: float | timedelta | None = None,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Plan[Result]:
        """Change when the entries that fit are due; their bytes stay as they are.

        `at` and `by` as for `SortedEntry.reschedule`. Repeated after it was killed, or sent again because the
        connection broke, `by` is added once more to those that were done; `at` is not. The others are as
        for `RetrySet.retry`.
        """
        action = to_time(self.fleet, self.name, at, by)
        # Away from where they go to, so that those done are rarely met again.
        order: Order = "asc" if action.by_s < 0 else "desc"
        return (yield from self._bulk(action, which, limit, stop, progress, order))

    @call("EVALSHA", *REMOVE_ALL_COMMANDS, cost="O(1)")
    def clear(self, *, undo_s: float = DEFAULT_UNDO_S) -> Plan[Removed]:
        """Remove every entry, at once. They can be put back for `undo_s` seconds, as after `delete`."""
        return (yield from remove_all(new_bin(self.fleet, "set", self.name, undo_s)))

    @call("ZADD", "LPUSH", "LTRIM", "EXPIRE", cost="O(log N), N = entries of the set")
    def schedule(self, at: Interval, payload: Payload) -> Plan[None]:
        """Put a job into the set, for a time as in `perform_in`; a payload given as bytes is stored exactly so.

        For what came from elsewhere. No client middleware runs and nothing is added to the payload. Raises
        InvalidJob if it is no job.
        """
        at_s, stored = due_at(at, self.fleet.clock()), stored_form(payload)
        wake = push_ops.wake_scheduler() if at_s < self.fleet.clock() + WAKE_WITHIN_S else []
        yield from ask_all([ops.add(self.name, at_s, stored), *wake])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    # -- within ------------------------------------------------------------------------------------

    def _entry(self, scored: Scored) -> SortedEntry:
        return SortedEntry(scored.member, scored.score, self.name, fleet=self.fleet)

    def _bulk(
        self,
        action: bulk.Action,
        chosen_by: Filter,
        limit: int | None,
        stop: Stop | None,
        progress: Progress | None,
        order: Order = "asc",
    ) -> Plan[Result]:
        return bulk.Bulk(
            set_key=self.name,
            action=action,
            chosen_by=require(chosen_by),
            make=self._entry,
            limit=bulk.checked_limit(limit),
            stop=bulk.checked_stop(stop),
            progress=progress,
            order=order,
        ).run()


class KillableSet(JobSet):
    """Sets whose jobs can be given up."""

    @call(*_BULK_TO_DEAD, cost=_BULK_COST, trips=_BULK_TRIPS)
    def kill(
        self,
        which: Filter,
        *,
        notify: bool = False,
        error: BaseException | None = None,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Plan[Result]:
        """Move the entries that fit to the dead set as they are; that set is trimmed by the limits of the settings.

        `notify` and `error` as for `SortedEntry.kill`; `limit`, `stop`, `progress` and the result as for
        `RetrySet.retry`. With more jobs than `dead_max_jobs`, the rest is trimmed away, for good.
        """
        action = bulk.ToDead(self.fleet, self.name, notify=notify, error=error)
        return (yield from self._bulk(action, which, limit, stop, progress))


class RetryableSet(JobSet):
    """Sets whose jobs have failed."""

    @call(*_BULK_TO_QUEUE, cost=_BULK_COST, trips=_BULK_TRIPS)
    def retry(
        self,
        which: Filter,
        *,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Plan[Result]:
        """Push the entries that fit to their queues now, the earliest first; `retry_count` becomes one less.

        `Filter()` is all of them. At most `limit` jobs; `stop()` is asked again and again, and ends it when it
        returns true; `progress(looked_at, size)` is called after each page. Jobs go through client
        middleware; those that it stops or fails on, and those that cannot be read, stay where they are and
        are counted as refused. May be killed at any point: each job is in the set or in its queue, and the
        same call again does the rest. A job that fails again meanwhile is not retried twice.
        """
        action = bulk.ToQueue(self.fleet, self.name, decrement=True, stop=stop)
        return (yield from self._bulk(action, which, limit, stop, progress))


class ScheduledSet(KillableSet):
    """The jobs that were pushed for a later time, by that time."""

    name = keys.SCHEDULE

    @call(*_BULK_TO_QUEUE, cost=_BULK_COST, trips=_BULK_TRIPS)
    def add_to_queue(
        self,
        which: Filter,
        *,
        limit: int | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
    ) -> Plan[Result]:
        """Push the entries that fit to their queues now, the earliest first. All else is as for `RetrySet.retry`."""
        action = bulk.ToQueue(self.fleet, self.name, decrement=False, stop=stop)
        return (yield from self._bulk(action, which, limit, stop, progress))


class RetrySet(RetryableSet, KillableSet):
    """The jobs that failed and are tried again, by the time of the next attempt."""

    name = keys.RETRY


class DeadSet(RetryableSet):
    """The jobs that are not tried again by themselves, by the time they died."""

    name = keys.DEAD

    @call("ZADD", *_TRIM_COMMANDS, cost="O(log N + T), N = entries of the set, T = trimmed, 1000 at most")
    def kill(
        self, payload: Payload, *, notify: bool = True, trim: bool = True, error: BaseException | None = None
    ) -> Plan[None]:
        """Put a job that is nowhere else into the dead set, as of now; a payload given as bytes is stored exactly so.

        `notify` and `error` as for `SortedEntry.kill`; without `trim` the set is left longer than its limits.
        Raises InvalidJob if it is no job.
        """
        stored = stored_form(payload)
        steps: list[Any] = [ops.add(self.name, self.fleet.clock(), stored)]
        yield from ask_all([*steps, bulk.bury(self.fleet, self.name, [])] if trim else steps)
        if notify:
            bulk.notify(self.fleet, [stored], error)

    @call(*_TRIM_COMMANDS, cost="O(log N + T), N = entries, T = trimmed", trips="1 for every 1000 trimmed, and 1")
    def trim(self) -> Plan[int]:
        """Forget the dead that are too old or too many for the settings, as every death does; returns how many.

        One less than `dead_max_jobs` stay at most, as in Sidekiq.
        """
        trimmed = 0
        while True:
            buried: promote_ops.Buried = yield from ask(bulk.bury(self.fleet, self.name, []))
            trimmed += buried.trimmed
            if not buried.trimmed:
                return trimmed


def _check_text(option: str, given: object, hint: str = "") -> None:
    if not isinstance(given, str) or not given:
        raise ConfigError(option, "a text that is not empty", given, hint)


def _check_count(option: str, given: object, *, least: int, most: float = math.inf) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        until = "" if most == math.inf else f" and at most {most}"
        raise ConfigError(option, f"a whole number of {least} or more{until}", given)
