"""Removing with undo, as ops: what is removed waits in a bin until it expires.

A bin is a list or a sorted set with the removed jobs (`keys.trash`), a note that says where they came
from (`keys.trash_note`), and an entry in the index of bins (`keys.TRASH`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pillion.storage.ops.base import Arg, Op, call, command
from pillion.wire import keys

Kind = Literal["queue", "set"]


@dataclass(slots=True, frozen=True)
class Bin:
    """Where one removal puts its jobs. `ttl_s` 0 stands for no bin: what is removed is gone."""

    undo_id: str
    kind: Kind
    name: str
    at_s: float
    ttl_s: int

    @property
    def source(self) -> str:
        """The key that the jobs are taken from: the list of the queue, or the sorted set."""
        return keys.queue(self.name) if self.kind == "queue" else self.name

    @property
    def own_keys(self) -> tuple[str, str, str]:
        """The bin itself, its note, the index of all bins."""
        return keys.trash(self.undo_id), keys.trash_note(self.undo_id), keys.TRASH


@dataclass(slots=True, frozen=True)
class Note:
    """What the note of a bin says, and how many jobs were put into it."""

    kind: Kind
    name: str
    at_s: float
    count: int


def take_all(bin_: Bin) -> Op[int]:
    """Make the whole queue or set the bin, in O(1). Returns the number of jobs; safe to send twice."""
    argv = (bin_.kind, bin_.name, bin_.undo_id, bin_.at_s, bin_.ttl_s)
    return call("trash", (bin_.source, *bin_.own_keys, keys.QUEUES), argv, int)


def take_members(bin_: Bin, members: Sequence[bytes]) -> Op[int]:
    """Move those members of a sorted set that are still there into the bin, with their scores.

    Returns how many went; safe to send twice. For many pages of one removal, use one bin; up to 100 members a call.
    """
    argv: tuple[Arg, ...] = (bin_.name, bin_.undo_id, bin_.at_s, bin_.ttl_s, *members)
    return call("trash_members", (bin_.source, *bin_.own_keys), argv, int)


def restore(bin_: Bin, *, now_s: float, most: int) -> Op[int]:
    """Put up to `most` jobs of the bin back, or all if that is cheap. Returns how many are left in it.

    The bin lives at least `ttl_s` longer.
    """
    argv = (bin_.kind, bin_.name, bin_.undo_id, most, bin_.ttl_s, now_s)
    return call("restore", (bin_.source, *bin_.own_keys, keys.QUEUES), argv, int)


def note(undo_id: str) -> Op[Note | None]:
    """The note of a bin; None if there is none (any more)."""
    return Op(("HGETALL", keys.trash_note(undo_id)), read_note)


def size(undo_id: str, kind: Kind) -> Op[int]:
    """How many jobs are in a bin."""
    return Op(("LLEN" if kind == "queue" else "ZCARD", keys.trash(undo_id)), int)


def live_ids(now_s: float, most: int) -> Op[list[tuple[str, float]]]:
    """The ids of the bins that have not expired and when they will, up to `most`, the last to expire first."""
    window = ("+inf", now_s, "BYSCORE", "REV", "LIMIT", 0, most)
    return Op(("ZRANGE", keys.TRASH, *window, "WITHSCORES"), _scored_ids)


def empty(undo_id: str) -> list[Op[Any]]:
    """Forget what is in a bin, for good."""
    own = (keys.trash(undo_id), keys.trash_note(undo_id))
    return [command("UNLINK", *own), command("ZREM", keys.TRASH, undo_id)]


# -- reading replies -------------------------------------------------------------------------------


def read_note(reply: Any) -> Note | None:
    """The note of a bin, from all its fields; None for what is none."""
    # RESP3 answers a map, RESP2 a flat list.
    fields: dict[bytes, bytes] = (
        cast("dict[bytes, bytes]", reply)
        if isinstance(reply, dict)
        else dict(zip(reply[::2], reply[1::2], strict=True))
    )
    try:
        kind: Kind = "queue" if fields[b"kind"] == b"queue" else "set"
        return Note(kind, fields[b"name"].decode(), float(fields[b"at"]), int(fields[b"count"]))
    except (KeyError, ValueError):
        return None


def _scored_ids(reply: list[Any]) -> list[tuple[str, float]]:
    # RESP3 answers [[member, score], ...], RESP2 [member, score, ...].
    nested = bool(reply) and isinstance(reply[0], list)
    pairs: list[tuple[bytes, Any]] = reply if nested else list(zip(reply[::2], reply[1::2], strict=True))
    return [(member.decode(), float(score)) for member, score in pairs]
