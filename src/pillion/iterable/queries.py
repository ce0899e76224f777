"""Going through the records of a database query by primary key: SQLAlchemy and Django.

Design record. Records are read in pages, each with a query of its own that begins behind the last key. So no
server-side cursor and no transaction stays open between two items, a page costs the same at the end of a
table as at its beginning, and the key is all that an interrupted job has to remember. Rows that are added or
deleted meanwhile do no harm; those added behind the current key are processed too.

Neither library is imported unless a query of it was handed in, and then it has been imported already.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from itertools import islice, pairwise
from typing import Any, Protocol, TypeVar

from pillion.errors import ConfigError
from pillion.iterable.enumerators import AsyncEnumerator, Enumerator, at_least_one

T = TypeVar("T")


class Pages(Protocol):
    """One query, read page by page in the order of its primary key."""

    def page(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """The next records from the key `start` on (None: from the first), or `after` it.

        About `size`: a join may have a key several times, and then all records of the last key belong to the page.
        """
        ...

    def keys(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """Only their keys."""
        ...

    def key(self, record: Any) -> Any:
        """The primary key of a record."""
        ...

    def key_of(self, cursor: Any) -> Any:
        """The key that was stored as this cursor."""
        ...

    def narrowed(self, keys: list[Any]) -> Any:
        """The query for just these keys."""
        ...

    def count(self) -> int:
        """How many records there are."""
        ...


# One page: the pairs of item and cursor, and the key behind which the next page begins.
Page = tuple[list[tuple[Any, Any]], Any]


class Reader(Protocol):
    """Reads one page from the key `start` on (None: from the first), or `after` it. No pairs: there is none left."""

    def __call__(self, pages: Pages, start: Any, size: int, *, after: bool) -> Page:
        """Read it."""
        ...


# -- enumerators for iterable jobs -------------------------------------------------------------------


class QueryEnumerator:
    """One way through a query: `records(query, cursor)`, or `records.aio(query, cursor)` in an async job."""

    def __init__(self, read: Reader, size: int, explanation: str, *, counts_batches: bool) -> None:
        self._read = read
        self._size = size
        self._counts_batches = counts_batches
        self.__doc__ = explanation

    def __call__(
        self, query: Any, cursor: Any, size: int | None = None, *, session: Any = None
    ) -> Enumerator[Any, Any]:
        """Go through it. See `pillion.iterable.queries` for what each of them yields. Raises ConfigError.

        `query`: a Django QuerySet or manager, or a SQLAlchemy `select` of a mapped class, or of rows with their
        primary key; then `session` is the Session or Connection to read with. It is put into the order of the
        key, so it may have no limit and no slice. `size` records are in memory at a time.
        """
        size = self._checked(size)
        pages = pages_of(query, session)
        return Enumerator(_walk(pages, self._read, cursor, size), lambda: self._count(pages, size))

    def aio(
        self, query: Any, cursor: Any, size: int | None = None, *, session: Any = None
    ) -> AsyncEnumerator[Any, Any]:
        """The same for async jobs: `session` is an AsyncSession or AsyncConnection, or the query is one of Django."""
        size = self._checked(size)
        ask = _asking(query, session)
        return AsyncEnumerator(
            _walk_aio(ask, self._read, cursor, size), lambda: ask(lambda pages: self._count(pages, size))
        )

    def _checked(self, size: int | None) -> int:
        size = self._size if size is None else size
        at_least_one("size", size)
        return size

    def _count(self, pages: Pages, size: int) -> int:
        return -(-pages.count() // size) if self._counts_batches else pages.count()


def _read_records(pages: Pages, start: Any, size: int, *, after: bool) -> Page:
    page = pages.page(start, size, after=after)
    # All keys at once: processing one record may delete the next, or expire them all.
    keys = [pages.key(record) for record in page]
    _refuse_repeated(keys)
    return [(record, _cursor(key)) for record, key in zip(page, keys, strict=True)], keys[-1] if keys else None


def _refuse_repeated(keys: list[Any]) -> None:
    """The cursor could not tell such records apart: a job that is interrupted among them would begin with the first."""
    twice = next((key for key, following in pairwise(keys) if key == following), None)
    if twice is not None:
        hint = "Begin the query with the table that has a row for each, make it distinct(), or take batches()."
        raise ConfigError("query", "each primary key once", f"{twice!r} several times", hint)


def _read_batch(pages: Pages, start: Any, size: int, *, after: bool) -> Page:
    page = pages.page(start, size, after=after)
    return ([(page, _cursor(pages.key(page[0])))], pages.key(page[-1])) if page else ([], None)


def _read_relation(pages: Pages, start: Any, size: int, *, after: bool) -> Page:
    keys = pages.keys(start, size, after=after)
    return ([(pages.narrowed(keys), _cursor(keys[0]))], keys[-1]) if keys else ([], None)


records = QueryEnumerator(
    _read_records,
    500,
    "The records of a query, one by one, read `size` at a time. Cursor: the primary key.",
    counts_batches=False,
)
batches = QueryEnumerator(
    _read_batch,
    1000,
    "The records of a query in lists of `size`. Cursor: the first key of the list, which is done anew as a whole.",
    counts_batches=True,
)
relations = QueryEnumerator(
    _read_relation,
    1000,
    "A query for each `size` records, to update or delete them at once; only keys are read. Cursor: the first key.",
    counts_batches=True,
)


# -- helpers for every job ---------------------------------------------------------------------------


def find_each(query: Any, size: int = 500, *, session: Any = None, gc_every: int | None = None) -> Iterator[Any]:
    """The records of a query, one by one, `size` of them in memory at a time (F141). `query`, `session`: see `records`.

    `gc_every`: collect garbage after so many records, where each leaves cycles behind.
    """
    found = batches(query, None, size, session=session)
    return _collecting((record for batch, _ in found for record in batch), 1, gc_every)


def each_batch(
    source: Any, size: int = 1000, *, session: Any = None, gc_every: int | None = None
) -> Iterator[list[Any]]:
    """Lists of `size` from a query or from any iterable, read as they are taken (F141).

    `gc_every`: collect garbage after so many items.
    """
    at_least_one("size", size)
    if session is None and not _is_query(source):
        if not isinstance(source, Iterable):
            raise ConfigError("source", "a query or an iterable", source)
        items: Iterator[Any] = iter(source)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
        return _collecting(_slices(items, size), size, gc_every)
    return _collecting((batch for batch, _ in batches(source, None, size, session=session)), size, gc_every)


# -- inside ------------------------------------------------------------------------------------------


def pages_of(query: Any, session: Any) -> Pages:
    """The pages of a query of either library. Raises ConfigError."""
    if _is_django(query):
        from pillion.iterable.django_pages import DjangoPages

        return DjangoPages(query)
    if _is_sqlalchemy(query):
        from pillion.iterable.sqlalchemy_pages import SqlAlchemyPages

        return SqlAlchemyPages(query, session)
    raise ConfigError("query", "a Django QuerySet or a SQLAlchemy select()", query)


def _asking(query: Any, session: Any) -> Callable[[Callable[[Pages], Any]], Awaitable[Any]]:
    """What carries out a question to the pages of a query without blocking the event loop."""
    if _is_django(query):
        from pillion.iterable.django_pages import asking

        return asking(query)
    if _is_sqlalchemy(query):
        from pillion.iterable.sqlalchemy_pages import asking as asking_session

        return asking_session(query, session)
    raise ConfigError("query", "a Django QuerySet or a SQLAlchemy select()", query)


def _is_query(query: Any) -> bool:
    return _is_django(query) or _is_sqlalchemy(query)


def _is_django(query: Any) -> bool:
    models = sys.modules.get("django.db.models")
    return models is not None and isinstance(query, models.QuerySet | models.Manager)


def _is_sqlalchemy(query: Any) -> bool:
    sqlalchemy = sys.modules.get("sqlalchemy")
    return sqlalchemy is not None and isinstance(query, sqlalchemy.Select)


def _walk(pages: Pages, read: Reader, cursor: Any, size: int) -> Iterator[tuple[Any, Any]]:
    start, after = _start(pages, cursor), False
    while True:
        pairs, start = read(pages, start, size, after=after)
        if not pairs:
            return
        yield from pairs
        after = True


async def _walk_aio(ask: Any, read: Reader, cursor: Any, size: int) -> AsyncIterator[tuple[Any, Any]]:
    start, after = await ask(partial(_start, cursor=cursor)), False
    while True:
        pairs, start = await ask(partial(read, start=start, size=size, after=after))
        if not pairs:
            return
        for pair in pairs:
            yield pair
        after = True


def _start(pages: Pages, cursor: Any) -> Any:
    return None if cursor is None else pages.key_of(cursor)


def _cursor(key: Any) -> Any:
    """A key as JSON: what it cannot carry, such as a UUID, goes as text, and `key_of` brings it back."""
    return key if type(key) in (int, str) else str(key)


def _collecting(items: Iterator[T], weight: int, gc_every: int | None) -> Iterator[T]:
    if gc_every is None:
        return items
    at_least_one("gc_every", gc_every)
    return _with_gc(items, weight, gc_every)


def _with_gc(items: Iterator[T], weight: int, gc_every: int) -> Iterator[T]:
    since = 0
    for item in items:
        yield item
        since += weight
        if since >= gc_every:
            since = 0
            gc.collect()


def _slices(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch
