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
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

from pillion.errors import ConfigError
from pillion.iterable.enumerators import Enumerator, at_least_one

T = TypeVar("T")


class Pages(Protocol):
    """One query, read page by page in the order of its primary key."""

    def page(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """The next records from the key `start` on (None: from the first), or `after` it."""
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


# -- enumerators for iterable jobs -------------------------------------------------------------------


def records(query: Any, cursor: Any, *, session: Any = None, page_size: int = 500) -> Enumerator[Any, Any]:
    """The records of a query, one by one. Cursor: the primary key.

    `query`: a Django QuerySet or manager, or a SQLAlchemy `select` of a mapped class or of rows with their primary
    key; then `session` is the Session or Connection to read with. It is put into the order of the key, so it may
    have no limit and no slice. `page_size` records are in memory at a time. Raises ConfigError.
    """
    at_least_one("page_size", page_size)
    pages = pages_of(query, session)
    return Enumerator(_records(pages, cursor, page_size), pages.count)


def batches(query: Any, cursor: Any, size: int = 1000, *, session: Any = None) -> Enumerator[list[Any], Any]:
    """The records of a query in lists of `size`. Cursor: the first key of the list, which is done anew as a whole.

    Else as `records`.
    """
    at_least_one("size", size)
    pages = pages_of(query, session)
    return Enumerator(_batches(pages, cursor, size), lambda: -(-pages.count() // size))


def relations(query: Any, cursor: Any, size: int = 1000, *, session: Any = None) -> Enumerator[Any, Any]:
    """A query for each `size` records, to update or delete them at once. Cursor: the first key.

    Only keys are read. Else as `records`.
    """
    at_least_one("size", size)
    pages = pages_of(query, session)
    return Enumerator(_relations(pages, cursor, size), lambda: -(-pages.count() // size))


# -- helpers for every job ---------------------------------------------------------------------------


def find_each(query: Any, size: int = 500, *, session: Any = None, gc_every: int | None = None) -> Iterator[Any]:
    """The records of a query, one by one, `size` of them in memory at a time (F141). `query`, `session`: see `records`.

    `gc_every`: collect garbage after so many records, where each leaves cycles behind.
    """
    found = records(query, None, session=session, page_size=size)
    return _collecting((record for record, _ in found), 1, gc_every)


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


def _is_query(query: Any) -> bool:
    return _is_django(query) or _is_sqlalchemy(query)


def _is_django(query: Any) -> bool:
    models = sys.modules.get("django.db.models")
    return models is not None and isinstance(query, models.QuerySet | models.Manager)


def _is_sqlalchemy(query: Any) -> bool:
    sqlalchemy = sys.modules.get("sqlalchemy")
    return sqlalchemy is not None and isinstance(query, sqlalchemy.Select)


def _records(pages: Pages, cursor: Any, size: int) -> Iterator[tuple[Any, Any]]:
    start, after = _start(pages, cursor), False
    while page := pages.page(start, size, after=after):
        # Read before the first is handed out: processing one may delete the next, or expire them all.
        keys = [pages.key(record) for record in page]
        for record, key in zip(page, keys, strict=True):
            yield record, _cursor(key)
        start, after = keys[-1], True


def _batches(pages: Pages, cursor: Any, size: int) -> Iterator[tuple[list[Any], Any]]:
    start, after = _start(pages, cursor), False
    while page := pages.page(start, size, after=after):
        first, last = pages.key(page[0]), pages.key(page[-1])
        yield page, _cursor(first)
        start, after = last, True


def _relations(pages: Pages, cursor: Any, size: int) -> Iterator[tuple[Any, Any]]:
    start, after = _start(pages, cursor), False
    while keys := pages.keys(start, size, after=after):
        yield pages.narrowed(keys), _cursor(keys[0])
        start, after = keys[-1], True


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
