"""What can be done with entries of a job set, one or 100,000 of them, by the same code (behaviour 18).

Design record. Sidekiq takes a job out of its set and puts it where it goes; killed in between, or
stopped by client middleware, the job is lost. Here an action is prepared in Python and carried out by a
script, some jobs a call, and each job is moved only if it was still there. Killed at any point, every job
is in one place, and the same call again does the rest. What cannot be done to a job leaves it untouched;
the result says why.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from pillion.api import undo
from pillion.api.chunks import chunks
from pillion.api.filters import Filter, yes_or_no
from pillion.api.fleet import Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.api.ranking import Order, Walker
from pillion.api.record import JobData
from pillion.client.intake import WAKE_WITHIN_S
from pillion.config import Config
from pillion.errors import ConfigError, DecodeError
from pillion.storage.ops import promote as promote_ops
from pillion.storage.ops import push as push_ops
from pillion.storage.ops import sets as ops
from pillion.storage.ops import undo as undo_ops
from pillion.storage.ops.base import Op
from pillion.storage.ops.sets import Scored
from pillion.wire import codec

log = logging.getLogger("pillion")

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]
T = TypeVar("T")

_JOBS_PER_CALL: Final = 100
# By so much the clocks of other machines may be behind ours.
_CLOCK_SKEW_S: Final = 60.0
_MOST_REASONS: Final = 20
_OTHER_REASONS: Final = "other reasons"


@dataclass(slots=True)
class Result:
    """What an action did. True if it was done to at least one job.

    `matched` jobs were meant, of `scanned` that were looked at. `moved` is how many it was done to, `gone`
    how many were no longer there when it came to them, `refused` how many were left as they are because
    it cannot be done to them; `reasons` counts these by why. `finished` is False if `limit` or `stop` ended
    it: the same call again goes on. After a removal `undo_id` is for `Undo`, until `expires_at` (epoch s).
    """

    matched: int = 0
    moved: int = 0
    gone: int = 0
    refused: int = 0
    scanned: int = 0
    finished: bool = True
    reasons: Counter[str] = field(default_factory=Counter[str])
    undo_id: str | None = None
    expires_at: float | None = None

    def __bool__(self) -> bool:
        return self.moved > 0

    def refuse(self, why: str) -> None:
        """Count a job that was left as it is."""
        self.refused += 1
        self.reasons[why if why in self.reasons or len(self.reasons) < _MOST_REASONS else _OTHER_REASONS] += 1


class Action(Protocol):
    """What is to be done, in one run. `takes_out`: whether a job leaves the set by it."""

    takes_out: bool

    def is_done(self, entry: JobData) -> bool:
        """Whether this run did it already: the job is met again because it came back, or stands elsewhere."""
        ...

    def carry_out(self, chosen: Sequence[Scored], result: Result) -> Plan[None]:
        """Do it to these entries, and count them in `result`."""
        ...


class ToQueue:
    """Push jobs to their queues now. Parameters: `decrement` takes one off `retry_count`, as a retry by hand does."""

    takes_out = True

    def __init__(self, fleet: Fleet, set_key: str, *, decrement: bool, stop: Stop | None = None) -> None:
        self._fleet, self._key, self._decrement = fleet, set_key, decrement
        self._stop = checked_stop(stop)
        self._began_s = fleet.clock()
        self._pushed: set[int] = set()  # hashes, for the sake of memory

    def is_done(self, entry: JobData) -> bool:
        """A job may fail at once and be back before the run ends. Not meant: another with the same jid."""
        if hash(entry.jid) not in self._pushed:
            return False
        failed_at = entry.failed_at if entry.retried_at is None else entry.retried_at
        return failed_at is not None and failed_at > self._began_s - _CLOCK_SKEW_S

    def carry_out(self, chosen: Sequence[Scored], result: Result) -> Plan[None]:
        """Client middleware sees each job; one that it stops, or fails on, stays where it is."""
        parts = list(_chunks(self._moves(chosen, result), _weight))
        replies: list[promote_ops.Promoted] = yield from ask_all(
            [promote_ops.promote(self._key, math.inf, chunk, refused_until_s=None) for chunk in parts]
        )
        for chunk, promoted in zip(parts, replies, strict=True):
            result.moved += promoted.count
            result.gone += len(chunk) - promoted.count - len(promoted.refused)
            for index, why in promoted.refused:
                result.refuse(f"Redis refused it for queue {chunk[index].queue}: {why}")

    def _moves(self, chosen: Sequence[Scored], result: Result) -> Iterator[promote_ops.Move]:
        """Each job as it is pushed. When stopping, those not yet stamped stay where they are."""
        for index, entry in enumerate(chosen):
            if self._stop is not None and self._stop():
                result.matched -= len(chosen) - index
                result.finished = False
                return
            try:
                yield self._move(entry.member)
            except DecodeError as exc:
                result.refuse(f"It cannot be read: {exc}")
            except _Refused as exc:
                result.refuse(str(exc))

    def _move(self, member: bytes) -> promote_ops.Move:
        payload = codec.loads_job(member)
        count = payload.get("retry_count")
        if self._decrement and isinstance(count, int) and not isinstance(count, bool):
            payload["retry_count"] = count - 1
        try:
            stamped = self._fleet.stamp(payload)
            if stamped is None:
                raise _Refused("Client middleware stopped it")
            self._pushed.add(hash(stamped.get("jid")))
            return promote_ops.Move(member, _queue_of(stamped), codec.dumps(stamped))
        except _Refused:
            raise
        except Exception as exc:  # client middleware is user code
            raise _Refused(f"{type(exc).__name__}: {exc}") from exc


class ToDead:
    """Move jobs to the dead set as they are. Parameters: `notify` calls the death handlers with `error`."""

    takes_out = True

    def __init__(self, fleet: Fleet, set_key: str, *, notify: bool, error: BaseException | None = None) -> None:
        self._fleet, self._key, self._notify, self._error = fleet, set_key, notify, error

    def is_done(self, entry: JobData) -> bool:
        """Never: nothing comes back from the dead by itself."""
        del entry
        return False

    def carry_out(self, chosen: Sequence[Scored], result: Result) -> Plan[None]:
        """The dead set is trimmed as after every death (wire-format 3.4)."""
        parts = list(_chunks((entry.member for entry in chosen), len))
        replies: list[promote_ops.Buried] = yield from ask_all([bury(self._fleet, self._key, chunk) for chunk in parts])
        for chunk, buried in zip(parts, replies, strict=True):
            result.moved += buried.count
            result.gone += len(buried.gone)
            if self._notify:
                gone = set(buried.gone)
                notify(self._fleet, (member for at, member in enumerate(chunk) if at not in gone), self._error)


class ToBin:
    """Remove jobs, so that they can be put back as long as their bin lives."""

    takes_out = True

    def __init__(self, bin_: undo_ops.Bin) -> None:
        self._bin = bin_

    def is_done(self, entry: JobData) -> bool:
        """Never: only a person puts them back."""
        del entry
        return False

    def carry_out(self, chosen: Sequence[Scored], result: Result) -> Plan[None]:
        """All go into one bin."""
        parts = list(_chunks((entry.member for entry in chosen), len))
        counts: list[int] = yield from ask_all([undo_ops.take_members(self._bin, chunk) for chunk in parts])
        result.moved += sum(counts)
        result.gone += len(chosen) - sum(counts)
        done = undo.removed(self._bin, result.moved)
        result.undo_id, result.expires_at = done.undo_id, done.expires_at


class ToTime:
    """Give jobs another time. Parameters, one of them: `at_s`, epoch seconds; `by_s`, seconds to add."""

    takes_out = False

    def __init__(self, fleet: Fleet, set_key: str, *, at_s: float | None = None, by_s: float = 0.0) -> None:
        self._fleet, self._key, self._at_s, self.by_s = fleet, set_key, at_s, by_s
        self._moved: set[int] = set()

    def is_done(self, entry: JobData) -> bool:
        """It is met again if its new place is further on."""
        return hash(entry.value) in self._moved

    def carry_out(self, chosen: Sequence[Scored], result: Result) -> Plan[None]:
        """Only those that are still there; the scheduler is woken if it must look earlier than it would."""
        members = [entry.member for entry in chosen]
        self._moved.update(map(hash, members))
        scores = yield from (self._by(members) if self._at_s is None else self._at(members, self._at_s))
        there = [score for score in scores if score is not None]
        result.moved += len(there)
        result.gone += len(members) - len(there)
        if there and min(there) < self._fleet.clock() + WAKE_WITHIN_S:
            yield from ask_all(push_ops.wake_scheduler())

    def _by(self, members: list[bytes]) -> Plan[list[float | None]]:
        return (yield from ask_all([ops.move_by(self._key, member, self.by_s) for member in members]))

    def _at(self, members: list[bytes], at_s: float) -> Plan[list[float | None]]:
        parts = list(_chunks(members, len))
        moves: list[Op[Any]] = [promote_ops.postpone(self._key, chunk, at_s) for chunk in parts]
        replies = yield from ask_all([*moves, *(ops.scores(self._key, chunk) for chunk in parts)])
        return [score for scores in replies[len(parts) :] for score in scores]


# -- carrying out ------------------------------------------------------------------------------------


@dataclass(slots=True, frozen=True, kw_only=True)
class Bulk:
    """An action on the entries that a filter chooses, page by page.

    Parameters: `make` makes what the filter looks at. At most `limit` entries; `stop()` is asked between
    pages, and between jobs where client middleware runs; `progress(looked_at, size)` is called after each
    page. `order` says which come first.
    """

    set_key: str
    action: Action
    chosen_by: Filter
    make: Callable[[Scored], JobData]
    limit: int | None = None
    stop: Stop | None = None
    progress: Progress | None = None
    order: Order = "asc"

    def run(self) -> Plan[Result]:
        """Do it; returns what was done."""
        result = Result()
        size = yield from ask(ops.size(self.set_key))
        walker = Walker(self.set_key, self.order, bounds=self.chosen_by.bounds)
        while result.finished and not walker.finished:
            if self._must_end(result):
                result.finished = False
                break
            yield from self.step(walker, result)
            if self.progress is not None:
                self.progress(result.scanned, max(size, result.scanned))
        return result

    def step(self, walker: Walker, result: Result) -> Plan[None]:
        """Do it to the next page, and count that in `result`. For who does more between pages than `run` does."""
        page = yield from walker.next()
        chosen = self._choose(page, result)
        left_before = result.moved + result.gone
        yield from self.action.carry_out(chosen, result)
        if self.action.takes_out:
            walker.forget(result.moved + result.gone - left_before)
        elif chosen:
            walker.lose_rank()

    def _must_end(self, result: Result) -> bool:
        return result.matched == self.limit or (self.stop is not None and self.stop())

    def _choose(self, page: list[Scored], result: Result) -> list[Scored]:
        chosen: list[Scored] = []
        for scored in page:
            if result.matched == self.limit:
                result.finished = False
                break
            result.scanned += 1
            entry = self.make(scored)
            if self.chosen_by.matches(entry) and not self.action.is_done(entry):
                result.matched += 1
                chosen.append(scored)
        return chosen


def once(action: Action, entry: Scored) -> Plan[Result]:
    """An action on one entry."""
    result = Result(matched=1, scanned=1)
    yield from action.carry_out([entry], result)
    return result


def bury(fleet: Fleet, set_key: str, members: Sequence[bytes]) -> Op[promote_ops.Buried]:
    """Move members to the dead set, and trim it by the limits of the settings."""
    config, now_s = fleet.config, fleet.clock()
    return promote_ops.bury(
        set_key, members, now_s=now_s, max_jobs=config.dead_max_jobs, timeout_s=config.dead_timeout_s
    )


def notify(fleet: Fleet, payloads: Iterable[bytes], error: BaseException | None) -> None:
    """Call every death handler for every job that can be read; one that fails does not stop the others."""
    config = fleet.config
    if not config.death_handlers:
        return
    error = error or RuntimeError("Job killed through the data API")
    for payload in payloads:
        for handler in config.death_handlers:
            try:
                handler(codec.loads_job(payload), error)
            except DecodeError:
                break
            except Exception as failure:  # noqa: BLE001 - user code: whatever it raises must not stop the others
                _report(config, failure, payload)


def _report(config: Config, failure: Exception, payload: bytes) -> None:
    log.error("A death handler failed on a job killed through the data API", exc_info=failure)
    for handler in config.error_handlers:
        try:
            handler(failure, {"context": "Error calling death handler", "job": codec.loads_job(payload)}, config)
        except Exception:
            log.exception("The error handler %r failed itself", handler)


class _Refused(Exception):
    """Why a job cannot be pushed now."""


def _queue_of(payload: dict[str, Any]) -> str:
    queue = payload.get("queue")
    if isinstance(queue, str) and queue:
        return queue
    raise _Refused(f"queue: expected a name, got {queue!r}. Without one it cannot be pushed anywhere.")


def _weight(move: promote_ops.Move) -> int:
    return len(move.member) + len(move.payload)


def _chunks(items: Iterable[T], weight: Callable[[T], int]) -> Iterator[list[T]]:
    """What goes into one script call each."""
    return chunks(items, weight, most=_JOBS_PER_CALL)


def checked_limit(limit: object) -> int | None:
    """`limit`, if it is a whole number of 1 or more, or None. Raises ConfigError."""
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0):
        return limit
    raise ConfigError("limit", "a whole number of 1 or more, or None for no limit", limit)


def checked_stop(stop: object) -> Stop | None:
    """`stop`, if it is a function that returns a bool, or None. Raises ConfigError, also when an async one answers."""
    return None if stop is None else yes_or_no("stop", stop, "a function without arguments that returns a bool")
