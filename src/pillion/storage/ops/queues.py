"""Reading queues, deleting in them and moving them to another name, as ops (wire-format 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pillion.storage.ops.base import Arg, Op, call
from pillion.wire import keys

# A payload as it is stored, and as it is stored in the other queue or under its old score.
Rewritten = tuple[bytes, bytes]


def names() -> Op[list[str]]:
    """The queues that were ever pushed to, sorted."""
    return Op(("SMEMBERS", keys.QUEUES), _sorted_texts)


def size(name: str) -> Op[int]:
    """How many jobs wait."""
    return Op(("LLEN", keys.queue(name)), int)


def page(name: str, start: int, stop: int) -> Op[list[bytes]]:
    """The payloads from index `start` to `stop`, both included; 0 is the newest, -1 the oldest."""
    return Op(("LRANGE", keys.queue(name), start, stop), list)


def delete(name: str, payload: bytes, *, near_tail: bool) -> Op[int]:
    """Remove one entry with these bytes, sought from the tail or from the head. 1 or 0."""
    return Op(("LREM", keys.queue(name), -1 if near_tail else 1, payload), int)


def move_oldest(old: str, new: str, jobs: Sequence[Rewritten]) -> Op[int]:
    """Move the oldest jobs of a queue behind those of another, in their order. Returns how many went.

    `jobs` are those that were at the tail of `old`, the oldest first. One that is no longer the oldest
    when its turn comes is passed over: a worker has taken it.
    """
    argv: tuple[Arg, ...] = (new, *(part for job in jobs for part in job))
    return call("move_oldest", (keys.queue(old), keys.queue(new), keys.QUEUES), argv, int)


def mentions(set_key: str, name: str, cursor: int, count: int) -> Op[tuple[int, list[bytes]]]:
    """One step over all members of a sorted set, in no order: those in which `name`, a valid queue name, occurs.

    `count` members are looked at. Returns the next cursor (0: done) and the members; one that stays all the
    time comes at least once.
    """
    # None of the characters of a queue's name means anything in a pattern.
    return Op(("ZSCAN", set_key, cursor, "MATCH", f"*{name}*", "COUNT", count), _members)


def rewrite_members(set_key: str, jobs: Sequence[Rewritten]) -> Op[int]:
    """Replace members of a sorted set, each with its score, where they are still there. Returns how many."""
    return call("rewrite_members", (set_key,), tuple(part for job in jobs for part in job), int)


def _sorted_texts(reply: Any) -> list[str]:
    return sorted(bytes(name).decode(errors="replace") for name in reply)


def _members(reply: Any) -> tuple[int, list[bytes]]:
    cursor, found = reply
    # RESP3 answers [[member, score], ...] in some versions, else [member, score, ...].
    nested = bool(found) and isinstance(found[0], list)
    return int(cursor), [pair[0] for pair in found] if nested else found[::2]
