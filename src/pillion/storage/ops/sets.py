"""Reading and changing the sorted sets of jobs (`schedule`, `retry`, `dead`), as ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pillion.storage.ops.base import Op

_GLOB_SPECIALS = rb"\*?[]^"


class Scored(NamedTuple):
    """A member of a sorted set and its score. Sorted as Redis sorts: by score, then by bytes."""

    score: float
    member: bytes


def size(set_key: str) -> Op[int]:
    """How many members there are."""
    return Op(("ZCARD", set_key), int)


def by_rank(set_key: str, start: int, stop: int, *, reverse: bool) -> Op[list[Scored]]:
    """The members from rank `start` to rank `stop`, both included; `reverse`: rank 0 is the highest."""
    return Op(("ZRANGE", set_key, start, stop, *(("REV",) if reverse else ()), "WITHSCORES"), _scored)


def rank(set_key: str, member: bytes, *, reverse: bool) -> Op[int | None]:
    """The rank of a member; None if it is not there."""
    return Op(("ZREVRANK" if reverse else "ZRANK", set_key, member), _int_or_none)


def score(set_key: str, member: bytes) -> Op[float | None]:
    """The score of a member; None if it is not there."""
    return Op(("ZSCORE", set_key, member), _float_or_none)


def scores(set_key: str, members: Sequence[bytes]) -> Op[list[float | None]]:
    """The score of each member; None for one that is not there."""
    return Op(("ZMSCORE", set_key, *members), lambda reply: [_float_or_none(item) for item in reply])


def count_with(set_key: str, score_s: float) -> Op[int]:
    """How many members have exactly this score."""
    return Op(("ZCOUNT", set_key, score_s, score_s), int)


def count_before(set_key: str, score_s: float, *, reverse: bool) -> Op[int]:
    """How many members have a lower score (`reverse`: a higher one)."""
    bounds = (f"({score_s!r}", "+inf") if reverse else ("-inf", f"({score_s!r}")
    return Op(("ZCOUNT", set_key, *bounds), int)


def scan(set_key: str, cursor: int, text: bytes, count: int) -> Op[tuple[int, list[Scored]]]:
    """One step over all members, in no order: those with `text` in them, literally. The next cursor; 0: done.

    `count` members are looked at. A member may come twice if the set changes meanwhile.
    """
    return Op(("ZSCAN", set_key, cursor, "MATCH", b"*" + literal(text) + b"*", "COUNT", count), _scanned)


def literal(text: bytes) -> bytes:
    """A glob pattern of Redis that matches exactly this text."""
    return b"".join(b"\\" + bytes((byte,)) if byte in _GLOB_SPECIALS else bytes((byte,)) for byte in text)


def add(set_key: str, score_s: float, payload: bytes) -> Op[int]:
    """Put one job into the set."""
    return Op(("ZADD", set_key, score_s, payload), int)


def move_by(set_key: str, member: bytes, delta_s: float) -> Op[float | None]:
    """Add to the score of a member; returns the new one, None if it is not there (any more)."""
    return Op(("ZADD", set_key, "XX", "INCR", delta_s, member), _float_or_none)


# -- reading replies -------------------------------------------------------------------------------


def _scored(reply: Any) -> list[Scored]:
    # RESP3 answers [[member, score], ...], RESP2 [member, score, ...].
    nested = bool(reply) and isinstance(reply[0], list)
    pairs = reply if nested else zip(reply[::2], reply[1::2], strict=True)
    return [Scored(float(score_s), member) for member, score_s in pairs]


def _scanned(reply: Any) -> tuple[int, list[Scored]]:
    cursor, found = reply
    return int(cursor), _scored(found)


def _int_or_none(reply: Any) -> int | None:
    return None if reply is None else int(reply)


def _float_or_none(reply: Any) -> float | None:
    return None if reply is None else float(reply)
