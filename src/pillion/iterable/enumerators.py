"""What an iterable job can go through: sequences, any iterable, the lines of a file, the rows of a CSV file.

Each gives pairs of an item and the cursor of that very item. Given such a cursor again, it begins with that item.
"""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast, overload

from pillion.errors import ConfigError

Item = TypeVar("Item")
Cursor = TypeVar("Cursor")

Rows = str | PathLike[str] | Iterable[str]


class Enumerator(Iterator[tuple[Item, Cursor]], Generic[Item, Cursor]):
    """Pairs of an item and its cursor. Closed when the execution ends, also by an interruption."""

    def __init__(self, pairs: Iterator[tuple[Item, Cursor]], size: Callable[[], int | None]) -> None:
        self._pairs = pairs
        self._size = size

    def __iter__(self) -> Enumerator[Item, Cursor]:
        return self

    def __next__(self) -> tuple[Item, Cursor]:
        return next(self._pairs)

    def size(self) -> int | None:
        """How many items there are in all, those before the cursor included; None if that cannot be known.

        It is counted at each call: for a file by reading it, for a query by asking the database.
        """
        return self._size()

    def close(self) -> None:
        """Close the file, or whatever is open."""
        close = getattr(self._pairs, "close", None)
        if close is not None:
            close()


class AsyncEnumerator(AsyncIterator[tuple[Item, Cursor]], Generic[Item, Cursor]):
    """The same for async jobs."""

    def __init__(self, pairs: AsyncIterator[tuple[Item, Cursor]], size: Callable[[], Awaitable[int | None]]) -> None:
        self._pairs = pairs
        self._size = size

    def __aiter__(self) -> AsyncEnumerator[Item, Cursor]:
        return self

    async def __anext__(self) -> tuple[Item, Cursor]:
        return await anext(self._pairs)

    async def size(self) -> int | None:
        """How many items there are in all, those before the cursor included; None if that cannot be known."""
        return await self._size()

    async def aclose(self) -> None:
        """Close what is open."""
        aclose = getattr(self._pairs, "aclose", None)
        if aclose is not None:
            await aclose()


def sequence(items: Sequence[Item], cursor: int | None) -> Enumerator[Item, int]:
    """The items of a list, tuple or range. Cursor: the position, from 0.

    The list has to be the same in each execution; where it grows at its end, the new items are processed too.
    Raises ConfigError for what has no positions (a set, a generator) and for text.
    """
    if not isinstance(cast("object", items), Sequence) or isinstance(items, str | bytes):
        hint = "Make it a list in a fixed order: sorted(...) for a set. counted() takes other iterables."
        raise ConfigError("sequence", "a list, tuple or range", items, hint)
    start = position(cursor)
    pairs = ((items[index], index) for index in range(start, len(items)))
    return Enumerator(pairs, lambda: len(items))


def counted(items: Iterable[Item], cursor: int | None) -> Enumerator[Item, int]:
    """The items of any iterable that has the same order each time. Cursor: how many came before.

    To resume it takes and drops the items before the cursor, so that must be cheap. Raises ConfigError for a set.
    """
    if isinstance(items, set | frozenset):
        hint = "A set of texts has another order in each process: use sequence(sorted(...), cursor)."
        raise ConfigError("counted", "the same order each time", items, hint)
    start = position(cursor)
    pairs = islice(enumerate(items), start, None)
    return Enumerator(((item, index) for index, item in pairs), lambda: None)


def lines(path: str | PathLike[str], cursor: int | None, *, encoding: str = "utf-8") -> Enumerator[str, int]:
    """The lines of a file, without their line ends. Cursor: the byte at which the line begins.

    To resume it jumps to that byte, however long the file is. What is appended meanwhile is read too. For
    encodings with a line feed of one byte, which UTF-16 has not.
    """
    return Enumerator(_lines(Path(path), position(cursor), encoding), lambda: _count_lines(Path(path)))


@overload
def csv_rows(
    source: Rows, cursor: int | None, *, headers: Literal[True] = True, **options: Any
) -> Enumerator[dict[str, str], int]: ...
@overload
def csv_rows(
    source: Rows, cursor: int | None, *, headers: Literal[False], **options: Any
) -> Enumerator[list[str], int]: ...
def csv_rows(source: Rows, cursor: int | None, *, headers: bool = True, **options: Any) -> Enumerator[Any, int]:
    """The rows of a CSV file (a path), or of any lines of text: dicts by the names in the first row.

    Without `headers` each row is a list and the first one is a row too. Cursor: the number of the row, from 0, the
    headers not counted. `options` are those of the module csv (delimiter, quotechar ...) and `encoding`.
    """
    return Enumerator(_csv(source, position(cursor), options, headers=headers), _csv_size(source, 1, headers=headers))


@overload
def csv_batches(
    source: Rows, cursor: int | None, size: int = 100, *, headers: Literal[True] = True, **options: Any
) -> Enumerator[list[dict[str, str]], int]: ...
@overload
def csv_batches(
    source: Rows, cursor: int | None, size: int = 100, *, headers: Literal[False], **options: Any
) -> Enumerator[list[list[str]], int]: ...
def csv_batches(
    source: Rows, cursor: int | None, size: int = 100, *, headers: bool = True, **options: Any
) -> Enumerator[Any, int]:
    """The rows of a CSV file in lists of `size`. Cursor: the number of the batch, from 0. Else as `csv_rows`."""
    at_least_one("size", size)
    start = position(cursor)
    rows = _csv(source, start * size, options, headers=headers)
    batches = ((batch, start + index) for index, batch in enumerate(_batches(rows, size)))
    return Enumerator(batches, _csv_size(source, size, headers=headers))


# -- inside ------------------------------------------------------------------------------------------


def position(cursor: object) -> int:
    """A cursor that is a position. Raises ConfigError if it is none."""
    if cursor is None:
        return 0
    if isinstance(cursor, int) and not isinstance(cursor, bool) and cursor >= 0:
        return cursor
    raise ConfigError(
        "cursor", "a position, 0 or more, or None", cursor, "Did this job go through something else before?"
    )


def at_least_one(name: str, value: object) -> None:
    """Raise ConfigError unless `value` is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(name, "a whole number of 1 or more", value)


def _lines(path: Path, start: int, encoding: str) -> Iterator[tuple[str, int]]:
    with path.open("rb") as file:
        file.seek(start)
        offset = start
        for raw in file:
            yield raw.decode(encoding).rstrip("\r\n"), offset
            offset += len(raw)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _csv(source: Rows, start: int, options: dict[str, Any], *, headers: bool) -> Iterator[tuple[Any, int]]:
    dialect = dict(options)
    encoding = dialect.pop("encoding", "utf-8-sig")  # spreadsheets put a byte order mark in front
    if not _is_path(source):
        yield from _csv_pairs(cast("Iterable[str]", source), start, dialect, headers=headers)
        return
    with Path(cast("str", source)).open(newline="", encoding=encoding) as file:
        yield from _csv_pairs(file, start, dialect, headers=headers)


def _csv_pairs(text: Iterable[str], start: int, dialect: dict[str, Any], *, headers: bool) -> Iterator[tuple[Any, int]]:
    rows: Iterator[Any] = csv.DictReader(text, **dialect) if headers else csv.reader(text, **dialect)
    return ((row, index) for index, row in islice(enumerate(rows), start, None))


def _csv_size(source: Rows, batch: int, *, headers: bool) -> Callable[[], int | None]:
    def size() -> int | None:
        if not _is_path(source):
            return None
        rows = _count_lines(Path(cast("str", source))) - headers
        return max(0, -(-rows // batch))

    return size


def _is_path(source: object) -> bool:
    return isinstance(source, str | PathLike)


def _batches(pairs: Iterator[tuple[Any, int]], size: int) -> Iterator[list[Any]]:
    while batch := [row for row, _ in islice(pairs, size)]:
        yield batch
