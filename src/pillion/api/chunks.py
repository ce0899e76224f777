"""How much goes into one script call: little enough that Redis is held up for a millisecond or so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

BYTES_PER_CALL: Final = 200_000


def chunks(items: Iterable[T], weight: Callable[[T], int], *, most: int) -> Iterator[list[T]]:
    """`items` in their order, up to `most` in a list, and about BYTES_PER_CALL in all; one that is larger goes alone.

    `weight` says how many bytes an item has.
    """
    chunk: list[T] = []
    left = BYTES_PER_CALL
    for item in items:
        if chunk and (len(chunk) == most or weight(item) > left):
            yield chunk
            chunk, left = [], BYTES_PER_CALL
        chunk.append(item)
        left -= weight(item)
    if chunk:
        yield chunk
