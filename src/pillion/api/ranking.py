"""Walking through a sorted set that changes meanwhile, page by page, without missing or repeating a member.

Design record. A rank says nothing once the set has changed, so a place in a set is its anchor: the member
that was passed last, with its score. Redis sorts by score and then by bytes, so whatever comes after the
anchor in that order is what is left to see, whether the anchor itself is still there or not. The rank is
only a guess at where to read. Each read begins one member early: if that one is not after the anchor,
nothing has been skipped, and whatever is not after the anchor is dropped. One round trip, as long as the
guess holds; else ZRANK says where the anchor is, or, if it is gone, ZCOUNT and a search among the members
with its score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError
from pillion.storage.ops import sets as ops
from pillion.storage.ops.sets import Scored

Order = Literal["desc", "asc"]

MAX_PAGE: Final = 1000
_FIRST_PAGE: Final = 25  # in case that they are huge
_GROWTH: Final = 8
_PAGE_BYTES: Final = 1_000_000
_PROBES: Final = 15
_MOST_EARLY: Final = 1000

# What `Walker.next` may send.
WALK_COMMANDS: Final = ("ZRANGE", "ZRANK", "ZREVRANK", "ZSCORE", "ZCOUNT")


@dataclass(slots=True, frozen=True)
class Cursor:
    """A place in a sorted set: after the entry with this score and these bytes, which may be gone by now.

    `rank` is how many entries were passed when it was made; None: unknown. It only saves a round trip.
    """

    score: float
    member: bytes
    rank: int | None = None

    @property
    def anchor(self) -> Scored:
        """What was passed last."""
        return Scored(self.score, self.member)


@dataclass(slots=True, frozen=True)
class Bounds:
    """Scores from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf

    def cursor(self, order: Order) -> Cursor | None:
        """The place before the first entry within these bounds; None: the start of the set."""
        if order == "asc":
            return None if self.low == -math.inf else Cursor(self.low, b"")
        return None if self.high == math.inf else Cursor(math.nextafter(self.high, math.inf), b"")

    def __contains__(self, score: float) -> bool:
        return self.low <= score <= self.high


class Walker:
    """Reads a sorted set page after page in one order, from a cursor on, within bounds.

    Parameters: `order` "desc" is the highest score first; without a `cursor` it begins at the start.
    """

    def __init__(
        self, set_key: str, order: Order = "desc", cursor: Cursor | None = None, bounds: Bounds | None = None
    ) -> None:
        self._key = set_key
        self._reverse = order == "desc"
        self._bounds = bounds or Bounds()
        cursor = self._further(_cursor(cursor), self._bounds.cursor(order))
        self._anchor = None if cursor is None else cursor.anchor
        self._rank = 0 if cursor is None else cursor.rank
        self._size = _FIRST_PAGE
        self._before_page = 0
        self.finished = False

    def next(self, most: int = MAX_PAGE) -> Plan[list[Scored]]:
        """The next page: up to `most` members, and about 1 MB. `finished` is true behind the last."""
        if self.finished:
            return []
        size = min(most, self._size)
        start, items, is_end = yield from self._read(size)
        passed = sum(not self._is_after(item) for item in items)
        page = items[passed : passed + size]
        inside = [item for item in page if item.score in self._bounds]
        self._before_page = start + passed
        self.finished = len(inside) < len(page) or (is_end and passed + len(page) == len(items))
        if inside:
            self._anchor, self._rank = inside[-1], self._before_page + len(inside)
            self._adapt(inside)
        return inside

    @property
    def cursor(self) -> Cursor | None:
        """The place behind what was read; None: there is no more."""
        if self.finished or self._anchor is None:
            return None
        return Cursor(self._anchor.score, self._anchor.member, self._rank)

    def cursor_after(self, page: list[Scored], index: int) -> Cursor | None:
        """The place behind entry `index` of the page that was read last; None: there is no more."""
        if self.finished and index == len(page) - 1:
            return None
        return Cursor(page[index].score, page[index].member, self._before_page + index + 1)

    def forget(self, count: int) -> None:
        """Say that `count` of the members passed have left the set, so that the next guess is right."""
        if self._rank is not None:
            self._rank = max(0, self._rank - count)

    def lose_rank(self) -> None:
        """Say that members were moved to other places."""
        self._rank = None

    # -- finding the place -------------------------------------------------------------------------

    def _further(self, given: Cursor | None, bound: Cursor | None) -> Cursor | None:
        """Where to begin: a cursor may come from a walk without bounds, and lie before them."""
        if given is None or bound is None:
            return given or bound
        is_before = given.anchor > bound.anchor if self._reverse else given.anchor < bound.anchor
        return bound if is_before else given

    def _read(self, size: int) -> Plan[tuple[int, list[Scored], bool]]:
        """A rank from which on nothing is skipped, the members there, and whether they end the set."""
        if self._rank is None:
            self._rank = yield from self._locate()
        early = 1
        while True:
            start, stop = max(0, self._rank - early), self._rank + size + 1  # one more tells whether there is more
            items = yield from ask(ops.by_rank(self._key, start, stop - 1, reverse=self._reverse))
            is_end = len(items) < stop - start
            if self._is_exact(start, items, is_end=is_end):
                return start, items, is_end
            self._rank = yield from self._locate()
            early = min(early * 8, _MOST_EARLY)

    def _is_exact(self, start: int, items: list[Scored], *, is_end: bool) -> bool:
        """Whether nothing was skipped, and something new is among `items` unless this is the end of the set."""
        if not items:
            return start == 0
        skipped_none = start == 0 or not self._is_after(items[0])
        return skipped_none and (is_end or self._is_after(items[-1]))

    def _is_after(self, item: Scored) -> bool:
        if self._anchor is None:
            return True
        return item < self._anchor if self._reverse else item > self._anchor

    def _locate(self) -> Plan[int]:
        """How many members there are up to the anchor, it included: by its rank, or by where it would be."""
        anchor = self._anchor
        if anchor is None:
            return 0
        rank, score, before, ties = yield from ask_all(
            [
                ops.rank(self._key, anchor.member, reverse=self._reverse),
                ops.score(self._key, anchor.member),
                ops.count_before(self._key, anchor.score, reverse=self._reverse),
                ops.count_with(self._key, anchor.score),
            ]
        )
        if rank is not None and score == anchor.score:
            return int(rank) + 1
        return (yield from self._search(anchor, before, before + ties))

    def _search(self, anchor: Scored, low: int, high: int) -> Plan[int]:
        """The number of members up to the anchor, which lies between `low` and `high`: 15 probes at a time."""
        while low < high:
            step = max(1, (high - low) // (_PROBES + 1))
            ranks = range(low, high, step)
            answers = yield from ask_all([ops.by_rank(self._key, at, at, reverse=self._reverse) for at in ranks])
            before = sum(
                1 for answer in answers if answer and not self._is_after(Scored(anchor.score, answer[0].member))
            )
            if before == 0:
                return low
            low, high = ranks[before - 1] + 1, min(high, ranks[before - 1] + step)
        return low

    # -- pace --------------------------------------------------------------------------------------

    def _adapt(self, page: list[Scored]) -> None:
        """Choose the size of the next page by the members of this one."""
        mean = max(1.0, sum(len(item.member) for item in page) / len(page))
        self._size = max(1, min(MAX_PAGE, self._size * _GROWTH, int(_PAGE_BYTES / mean)))


def _cursor(given: object) -> Cursor | None:
    if given is None or isinstance(given, Cursor):
        return given
    raise ConfigError("cursor", "the cursor of the page before, unchanged, or None to begin", given)


def order_of(given: object) -> Order:
    """`given`, if it is an order. Raises ConfigError."""
    if given == "desc":
        return "desc"
    if given == "asc":
        return "asc"
    raise ConfigError("order", '"desc" (the latest first) or "asc"', given)


def skipping(set_key: str, order: Order, skip: int) -> Plan[Cursor | None]:
    """The cursor behind the first `skip` entries as they are now; None for the start."""
    if skip <= 0:
        return None
    items = yield from ask(ops.by_rank(set_key, skip - 1, skip - 1, reverse=order == "desc"))
    if items:
        return Cursor(items[0].score, items[0].member, skip)
    return (yield from _behind_the_last(set_key, order))


def _behind_the_last(set_key: str, order: Order) -> Plan[Cursor | None]:
    """The cursor behind everything; None if the set is empty."""
    items = yield from ask(ops.by_rank(set_key, -1, -1, reverse=order == "desc"))
    return Cursor(items[0].score, items[0].member) if items else None
