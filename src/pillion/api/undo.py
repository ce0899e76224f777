"""Undo: what was removed can be put back for a day.

Design record. Removing a queue or a job set renames its key to a bin that expires: no job is copied, so it
costs the same for one job and for a million, and memory is given back when the bin expires. Single
members that a filter chose go into a bin of the same kind, page by page. Putting back goes in steps, each
of which leaves every job in one place, so it may be killed and repeated.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.call import call, owner_call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError, PillionError
from pillion.storage.ops import undo as ops
from pillion.storage.ops.undo import Bin, Kind, Note

DEFAULT_UNDO_S: Final = 24 * 3600
Progress = Callable[[int, int], None]

# So many jobs a script call: it stays at a millisecond or so.
_STEP: Final[dict[Kind, int]] = {"queue": 250, "set": 100}
_RESTORE_TTL_S: Final = 3600
_MOST_BINS: Final = 1000


class NothingToUndo(PillionError, LookupError):
    """There is no such removal, its time is over, or it has been undone. `undo_id` says which was meant."""

    def __init__(self, undo_id: str) -> None:
        self.undo_id = undo_id
        super().__init__(
            f"Nothing to undo under {undo_id!r}: it was put back already, its time is over (a day, unless "
            "undo_s said otherwise), or it belongs to another Redis. `pillion undo` lists "
            "what can be put back, and so does Undo.all()."
        )


@dataclass(slots=True, frozen=True)
class Removed:
    """What a removal did.

    `count` jobs were removed from `name`, a queue or a job set. `undo_id` is for `Undo`, until
    `expires_at` (epoch seconds); both are None if there is nothing to put back.
    """

    count: int
    name: str
    undo_id: str | None = None
    expires_at: float | None = None


@dataclass(slots=True, frozen=True)
class Undoable:
    """A removal that can be undone: `count` jobs of the queue or set `name`, removed at `at` until `expires_at`.

    `kind` is "queue" or "set"; times are epoch seconds.
    """

    undo_id: str
    kind: Kind
    name: str
    count: int
    at: float
    expires_at: float


def _all(fleet: Fleet) -> Plan[list[Undoable]]:
    """What can be put back, up to 1000 removals; what expires last comes first."""
    ids = yield from ask(ops.live_ids(fleet.clock(), _MOST_BINS))
    notes: list[Note | None] = yield from ask_all([ops.note(undo_id) for undo_id, _ in ids])
    known = [(undo_id, until, note) for (undo_id, until), note in zip(ids, notes, strict=True) if note is not None]
    sizes: list[int] = yield from ask_all([ops.size(undo_id, note.kind) for undo_id, _, note in known])
    found = (
        Undoable(undo_id, note.kind, note.name, size, note.at_s, until)
        for (undo_id, until, note), size in zip(known, sizes, strict=True)
    )
    return [undoable for undoable in found if undoable.count]


class Undo:
    """One removal that can be undone: `Undo(removed.undo_id).restore()`.

    Parameters: `undo_id` from `Removed` or `Undoable`; `fleet` is where, by default the Redis of this
    process. Raises ConfigError for an id that is no text.
    """

    all = owner_call(
        "ZRANGE", "HGETALL", "LLEN", "ZCARD", cost="O(B), B = removals that can be undone", trips="up to 3"
    )(_all)

    def __init__(self, undo_id: str | None, *, fleet: Fleet | None = None) -> None:
        given: object = undo_id
        if not isinstance(given, str) or not given:
            hint = "It is None if nothing was removed, or if undo_s=0 was asked for." if given is None else ""
            raise ConfigError("undo_id", "the undo_id of something removed, such as '1f0c9a3b55d2'", given, hint)
        self.undo_id = given
        self.fleet = fleet or DEFAULT

    @call(
        *("HGETALL", "LLEN", "ZCARD", "EVALSHA", "RENAME", "PERSIST", "LMOVE", "SADD", "ZPOPMIN", "ZADD"),
        *("UNLINK", "ZREM", "TTL", "EXPIRE"),
        cost="O(1) if nothing came since; else O(N) for a queue, O(N log M) for a set, N = jobs, M = size of the set",
        trips="3; then one for every 250 jobs of a queue, 100 of a set, fewer if they are large",
    )
    def restore(self, *, progress: Progress | None = None) -> Plan[int]:
        """Put the jobs back where they came from; returns how many.

        Jobs of a queue come back in their old order, and run before what was pushed since: they are
        older. All at once if at most 250 were pushed since; else 250 at a time, and until all are back,
        workers take the newest of them first. Jobs of a set come back with their times; one that is in the
        set again by now stays as it is. May be killed at any point, and repeated.

        `progress(done, total)` is called after each step. Raises NothingToUndo.
        """
        note = yield from self._note()
        total = left = yield from ask(ops.size(self.undo_id, note.kind))
        if not total:
            raise NothingToUndo(self.undo_id)
        bin_ = Bin(self.undo_id, note.kind, note.name, note.at_s, _RESTORE_TTL_S)
        while left:
            left = yield from ask(ops.restore(bin_, now_s=self.fleet.clock(), most=_STEP[note.kind]))
            if progress is not None:
                progress(total - left, total)
        return total

    @call("HGETALL", "UNLINK", "ZREM", cost="O(1); Redis frees the memory in the background", trips="2")
    def forget(self) -> Plan[None]:
        """Give the memory back now: the jobs cannot be put back any more. Raises NothingToUndo."""
        yield from self._note()
        yield from ask_all(ops.empty(self.undo_id))

    def _note(self) -> Plan[Note]:
        note = yield from ask(ops.note(self.undo_id))
        if note is None:
            raise NothingToUndo(self.undo_id)
        return note

    def __repr__(self) -> str:
        return f"<Undo {self.undo_id}>"


# -- for those who remove --------------------------------------------------------------------------

# What `remove_all` may send, without EVALSHA itself.
REMOVE_ALL_COMMANDS: Final = (
    *("HGET", "LLEN", "ZCARD", "UNLINK", "RENAME", "EXPIRE", "HSET"),
    *("ZREMRANGEBYSCORE", "ZADD", "SREM"),
)
# What `remove_members` may send, without EVALSHA itself.
REMOVE_MEMBERS_COMMANDS: Final = ("ZSCORE", "ZREM", "ZADD", "EXPIRE", "HSET", "HINCRBY", "ZREMRANGEBYSCORE")


def new_bin(fleet: Fleet, kind: Kind, name: str, undo_s: float) -> Bin:
    """A bin for one removal; nothing is written yet. Raises ConfigError for an `undo_s` that is no time."""
    given: Any = undo_s
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 10 * 365 * 24 * 3600:
        raise ConfigError("undo_s", "seconds for which the removal can be undone, 0 for never", given)
    return Bin(secrets.token_hex(6), kind, name, fleet.clock(), -int(-given // 1))


def remove_all(bin_: Bin) -> Plan[Removed]:
    """Remove a whole queue or set into its bin, at once."""
    return removed(bin_, (yield from ask(ops.take_all(bin_))))


def remove_members(bin_: Bin, members: list[bytes]) -> Plan[int]:
    """Remove up to 100 members of a set into the bin; returns how many were still there.

    Call it for page after page with the same bin, then tell the result with `removed`.
    """
    return (yield from ask(ops.take_members(bin_, members)))


def removed(bin_: Bin, count: int) -> Removed:
    """The result of a removal of `count` jobs in all."""
    if not count or not bin_.ttl_s:
        return Removed(count, bin_.name)
    return Removed(count, bin_.name, bin_.undo_id, bin_.at_s + bin_.ttl_s)
