"""SortedEntry: one job of the schedule, the retry set or the dead set, and what can be done with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from pillion.api import bulk
from pillion.api.bulk import Result
from pillion.api.call import call
from pillion.api.filters import seconds_of
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan
from pillion.api.ranking import Cursor
from pillion.api.record import JobData
from pillion.api.undo import DEFAULT_UNDO_S, REMOVE_MEMBERS_COMMANDS, new_bin
from pillion.errors import ConfigError, InvalidJob
from pillion.storage.ops.sets import Scored
from pillion.wire import codec, keys
from pillion.wire.text import shown
from pillion.wire.timestamps import Interval, due_at

TO_QUEUE_COMMANDS: Final = ("EVALSHA", "ZSCORE", "ZREM", "LPUSH", "SADD", "ZADD")
TO_DEAD_COMMANDS: Final = ("EVALSHA", "ZSCORE", "ZREM", "ZADD", "ZCOUNT", "ZCARD", "ZREMRANGEBYRANK")
TO_TIME_COMMANDS: Final = ("ZADD", "ZMSCORE", "LPUSH", "LTRIM", "EXPIRE")

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


class SortedEntry(JobData):
    """A job as it stood in a set when it was read, and what its payload says (see JobData).

    `score` is the time in epoch seconds at which it is due, or died; `set_name` the set that it is in.
    The actions do nothing if it is no longer there, and return a Result: true if the job was moved.
    """

    def __init__(self, value: bytes, score: float, set_name: str, *, fleet: Fleet | None = None) -> None:
        super().__init__(value)
        self.score = score
        self.set_name = set_name
        self.fleet = fleet or DEFAULT

    @property
    def at(self) -> datetime:
        """`score` as an aware datetime, in UTC; the first or last moment there is, if it is beyond that."""
        try:
            return datetime.fromtimestamp(self.score, UTC)
        except (OverflowError, ValueError, OSError):
            return _LAST if self.score > 0 else _FIRST

    @property
    def id(self) -> str:
        """Score and jid, as in the addresses of dashboards: "1795300071.5323694|9922ab488a26202ca88dcdde"."""
        return f"{self.score!r}|{self.jid}"

    @call(*TO_QUEUE_COMMANDS, cost="O(log N), N = entries of the set")
    def retry(self) -> Plan[Result]:
        """Push the job to its queue now, of the retry or the dead set; `retry_count` becomes one less.

        So a job that had no retry left has one more. It goes through client middleware; one that
        middleware stops, or that cannot be read, stays where it is and is counted as refused.
        Raises ConfigError in the schedule: nothing was tried there, see `add_to_queue`.
        """
        if self.set_name == keys.SCHEDULE:
            raise ConfigError("retry", "an entry of the retry or the dead set", self.id, "Use add_to_queue().")
        return (yield from bulk.once(bulk.ToQueue(self.fleet, self.set_name, decrement=True), self._scored))

    @call(*TO_QUEUE_COMMANDS, cost="O(log N), N = entries of the set")
    def add_to_queue(self) -> Plan[Result]:
        """Push the job to its queue now; as `retry`, but `retry_count` stays as it is."""
        return (yield from bulk.once(bulk.ToQueue(self.fleet, self.set_name, decrement=False), self._scored))

    @call(*TO_DEAD_COMMANDS, cost="O(log N + T), N = entries of both sets, T = trimmed, 1000 at most")
    def kill(self, *, notify: bool = False, error: BaseException | None = None) -> Plan[Result]:
        """Move the job to the dead set as it is; that set is trimmed by the limits of the settings.

        `notify` calls the death handlers with the payload and `error` (default: a RuntimeError that says
        it was killed so); one that fails is reported. Raises ConfigError in the dead set.
        """
        if self.set_name == keys.DEAD:
            raise ConfigError("kill", "an entry of the schedule or the retry set", self.id, "This job is dead.")
        action = bulk.ToDead(self.fleet, self.set_name, notify=notify, error=error)
        return (yield from bulk.once(action, self._scored))

    @call("EVALSHA", *REMOVE_MEMBERS_COMMANDS, cost="O(log N), N = entries of the set")
    def delete(self, *, undo_s: float = DEFAULT_UNDO_S) -> Plan[Result]:
        """Remove the job. `Undo(result.undo_id).restore()` puts it back, for `undo_s` seconds (a day; 0: never)."""
        action = bulk.ToBin(new_bin(self.fleet, "set", self.set_name, undo_s))
        return (yield from bulk.once(action, self._scored))

    @call(*TO_TIME_COMMANDS, cost="O(log N), N = entries of the set", trips="1 or 2")
    def reschedule(self, at: Interval | None = None, *, by: float | timedelta | None = None) -> Plan[Result]:
        """Change when the job is due; its bytes stay as they are.

        Parameters, one of them: `at` as in `perform_in` (aware datetime, epoch seconds; a timedelta or a
        number below 1 000 000 000 counts from now); `by` is added to the present time (timedelta or seconds),
        twice in the rare case that the connection breaks before Redis' answer is here.
        Raises ConfigError or InvalidJob if this is no time.
        """
        return (yield from bulk.once(to_time(self.fleet, self.set_name, at, by), self._scored))

    @property
    def _scored(self) -> Scored:
        return Scored(self.score, self.value)


@dataclass(slots=True, frozen=True)
class Page:
    """Some entries of a set. `cursor` is where the next page begins; None: there are no more.

    `scanned` is how many entries were looked at for this page.
    """

    entries: list[SortedEntry]
    cursor: Cursor | None
    scanned: int

    def __iter__(self) -> Iterator[SortedEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def to_time(fleet: Fleet, set_name: str, at: Interval | None, by: float | timedelta | None) -> bulk.ToTime:
    """The action for what `reschedule` was given. Raises ConfigError or InvalidJob."""
    if (at is None) == (by is None):
        hint = "at is a moment, or how long from now; by is added to the time that each job has."
        raise ConfigError("reschedule", "one of at and by", {"at": at, "by": by}, hint)
    if at is not None:
        return bulk.ToTime(fleet, set_name, at_s=due_at(at, fleet.clock()))
    return bulk.ToTime(fleet, set_name, by_s=by.total_seconds() if isinstance(by, timedelta) else _seconds(by))


def stored_form(payload: object) -> bytes:
    """The bytes of a job. Raises InvalidJob if it has no class, or is no map."""
    if isinstance(payload, bytes):
        job = codec.loads_job(payload)
    elif isinstance(payload, Mapping):
        job = dict(cast("Mapping[str, Any]", payload))
    else:
        raise InvalidJob("item", f"A job must be a map, or the bytes of one, got {shown(payload)}.")
    if not isinstance(job.get("class"), str) or not job["class"]:
        raise InvalidJob("class", f"class: expected the name of a job class, got {shown(job.get('class'))}.")
    return payload if isinstance(payload, bytes) else codec.dumps(job)


def _seconds(by: object) -> float:
    if isinstance(by, datetime):
        raise ConfigError("by", "seconds or a timedelta", by, "For a moment use at.")
    seconds = seconds_of("by", by)
    if math.isinf(seconds):
        raise ConfigError(
            "by", "seconds or a timedelta", by, "A job that is never due is nobody's: delete it, or kill it."
        )
    return seconds
