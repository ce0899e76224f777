"""Paging through a queue while others push to it, take from it and delete in it. No I/O.

Design record. New jobs come in at the head of the list and workers take from its tail, so an index from
the head is soon wrong. The walk goes from the head to the tail and counts from the tail instead: how many
entries are still to be seen.

* A push at the head does not change that number.
* A job that is taken from the tail, or deleted there, moves the walk back to entries it has had:
  they are dropped, as long as they are among the last WINDOW.
* A job that is deleted where the walk has been changes nothing.
* A job that is put back at the tail (by a worker that stops) would make the walk skip one. So each page
  begins a little earlier, by at most OVERLAP entries.

Identical entries in one page are two jobs; in two pages the second is taken for the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

PAGE_BYTES: Final = 1_000_000
FIRST_PAGE: Final = 50
MOST_ENTRIES: Final = 1000
OVERLAP: Final = 100
WINDOW: Final = 10_000

T = TypeVar("T")


@dataclass(slots=True, frozen=True)
class Page(Generic[T]):
    """Some entries. `cursor` is for the next page; None: this was the last. `total` is how many there are now."""

    entries: list[T]
    cursor: str | None
    total: int


def next_size(size: int, count: int, taken_bytes: int) -> int:
    """How many entries the next page should have, after `count` entries of `taken_bytes` bytes in all.

    A page has about PAGE_BYTES bytes, at most MOST_ENTRIES entries, and at most twice as many as the last.
    """
    if not count:
        return size
    fitting = PAGE_BYTES * count // max(1, taken_bytes)
    return max(1, min(fitting, 2 * size, MOST_ENTRIES))


class Walk:
    """One walk from the newest entry of a list to the oldest.

    Ask Redis for LLEN and LRANGE `bounds()` in one transaction and give the answers to `take`, until `is_done`.
    `left` is how many entries, counted from the tail, are to be seen; None: all.
    """

    def __init__(self, left: int | None = None) -> None:
        self.left = left
        self._behind: list[int] = []
        self._size = FIRST_PAGE
        self._order: deque[int] = deque()
        self._seen: set[int] = set()

    @property
    def is_done(self) -> bool:
        """Whether the tail is reached."""
        return self.left is not None and self.left <= 0

    def bounds(self) -> tuple[int, int]:
        """First and last index of the next page, for LRANGE."""
        if self.left is None:
            return 0, self._size - 1
        overlap = min(OVERLAP, self._size, len(self._order))
        return -(self.left + overlap), -max(1, self.left - self._size + 1)

    def take(self, length: int, values: Sequence[bytes]) -> list[bytes]:
        """The entries of a page that were not seen yet. `length` is that of the list when it was read."""
        before = length if self.left is None else self.left
        self.left = max(0, min(before - self._size, length))
        places = [place for place, value in enumerate(values) if hash(value) not in self._seen]
        self._behind = [len(values) - 1 - place for place in places]
        new = [values[place] for place in places]
        self._remember(new)
        self._size = next_size(self._size, len(values), sum(map(len, values)))
        return new

    def left_behind(self, index: int) -> int:
        """How many entries, counted from the tail, are to be seen behind entry `index` of what `take` gave last."""
        return (self.left or 0) + self._behind[index]

    def _remember(self, values: Sequence[bytes]) -> None:
        for value in values:
            mark = hash(value)
            if mark not in self._seen:
                self._seen.add(mark)
                self._order.append(mark)
        while len(self._order) > WINDOW:
            self._seen.discard(self._order.popleft())
