"""Promotion of due jobs from `retry` and `schedule` to their queues, as ops; and the scheduler's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pillion.storage.ops.base import Arg, Op, call
from pillion.wire import keys


@dataclass(slots=True, frozen=True)
class Move:
    """One due job: `member` is what the sorted set holds, `payload` what is pushed to `queue` for it."""

    member: bytes
    queue: str
    payload: bytes


@dataclass(slots=True, frozen=True)
class Promoted:
    """How many jobs were moved, and which (by position) their queue's key refused, with Redis' words."""

    count: int
    refused: tuple[tuple[int, str], ...] = ()


def next_due(set_key: str) -> Op[float | None]:
    """The score of the first member, in epoch seconds; None if the set is empty."""
    return Op(("ZRANGE", set_key, 0, 0, "WITHSCORES"), _score)


def _score(reply: Any) -> float | None:
    if not reply:
        return None
    # RESP3 answers [[member, score]], RESP2 [member, score].
    return float(reply[0][1] if len(reply) == 1 else reply[1])


def due(set_key: str, now_s: float, limit: int) -> Op[list[bytes]]:
    """Up to `limit` members whose time has come, the oldest first (wire-format 3.2)."""
    return Op(("ZRANGE", set_key, "-inf", now_s, "BYSCORE", "LIMIT", 0, limit), list)


@dataclass(slots=True, frozen=True)
class Buried:
    """How many jobs went to the dead set, how many left it for good, and which (by position) were gone before."""

    count: int
    trimmed: int
    gone: tuple[int, ...] = ()


def promote(set_key: str, now_s: float, moves: Sequence[Move], *, refused_until_s: float | None) -> Op[Promoted]:
    """Move each job that is still in the set and due at `now_s`, in this order.

    A job whose queue cannot be written (its key is not a list) stays in the set with the score
    `refused_until_s`, or with its own if that is None.
    """
    index_of = {name: index for index, name in enumerate(dict.fromkeys(move.queue for move in moves), start=3)}
    names = (set_key, keys.QUEUES, *(keys.queue(name) for name in index_of))
    argv: list[Arg] = [now_s, "" if refused_until_s is None else refused_until_s]
    for move in moves:
        argv += (move.member, index_of[move.queue], move.queue, move.payload)
    return call("promote", names, argv, _promoted)


def _promoted(reply: Any) -> Promoted:
    count, *refused = reply
    pairs = zip(refused[::2], refused[1::2], strict=True)
    return Promoted(int(count), tuple((int(index), _text(why)) for index, why in pairs))


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


def drop(set_key: str, members: Sequence[bytes]) -> Op[int]:
    """Remove members for good."""
    return Op(("ZREM", set_key, *members), int)


def postpone(set_key: str, members: Sequence[bytes], until_s: float) -> Op[int]:
    """Give members that are still there a new score."""
    pairs = [part for member in members for part in (until_s, member)]
    return Op(("ZADD", set_key, "XX", *pairs), int)


def bury(set_key: str, members: Sequence[bytes], *, now_s: float, max_jobs: int, timeout_s: float) -> Op[Buried]:
    """Move members to the dead set as they are, and trim that set by age and number (wire-format 3.4).

    One call trims at most 1000 jobs more than it adds. Without members it trims only.
    """
    return call("bury", (set_key, keys.DEAD), (now_s, now_s - timeout_s, max_jobs, *members), _buried)


def _buried(reply: Any) -> Buried:
    count, trimmed, *gone = map(int, reply)
    return Buried(count, trimmed, tuple(gone))


def hold_lock(lock_key: str, identity: str, ttl_s: float) -> Op[bool]:
    """Take a lock or prolong it; True if it is held by `identity` for `ttl_s` from now."""
    return call("hold", (lock_key,), (identity, int(ttl_s * 1000)), bool)


def release_lock(lock_key: str, identity: str) -> Op[bool]:
    """Give a lock back if `identity` holds it."""
    return call("release", (lock_key,), (identity,), bool)


def process_count() -> Op[int]:
    """How many processes there are, at least 1 (behaviour 8)."""
    return Op(("SCARD", keys.PROCESSES), _at_least_one)


def _at_least_one(reply: Any) -> int:
    return max(1, int(reply))
