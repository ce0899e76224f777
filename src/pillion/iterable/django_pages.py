"""The pages of a Django QuerySet, by primary key. Imported only when one is handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from pillion.errors import ConfigError

_models: Any = import_module("django.db.models")  # Django brings no types
_ModelIterable: Any = import_module("django.db.models.query").ModelIterable


class DjangoPages:
    """One QuerySet, read page by page."""

    def __init__(self, query: Any) -> None:
        self._query: Any = query.all() if isinstance(query, _models.Manager) else query
        if self._query.query.is_sliced:
            hint = "It is read in pages, each with a limit of its own."
            raise ConfigError("query", "a QuerySet that is not sliced", self._query.query, hint)
        if not issubclass(self._query._iterable_class, _ModelIterable):
            hint = "Leave out values() and values_list(); only() and defer() are fine."
            raise ConfigError("query", "a QuerySet of model instances", self._query._iterable_class.__name__, hint)
        key = self._query.model._meta.pk
        if key is None or getattr(key, "columns", None) is not None:
            raise ConfigError("query", f"one field as the primary key of {self._query.model.__name__}", key)

    def page(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """The next records from the key `start` on, or `after` it; all that have the last key, however many."""
        query = self._from(start, after=after)
        if len(query.query.alias_map) <= 1 and not query.query.extra_tables:
            return list(query[:size])  # one table: no key comes twice, as it may in a join
        last = list(query.values_list("pk", flat=True)[size - 1 : size])
        return list(query.filter(pk__lte=last[0]) if last else query)

    def keys(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """Only their keys."""
        return list(self._from(start, after=after).values_list("pk", flat=True)[:size])

    def key(self, record: Any) -> Any:
        """The primary key of a record."""
        return record.pk

    def key_of(self, cursor: Any) -> Any:
        """The key that was stored as this cursor."""
        return self._query.model._meta.pk.to_python(cursor)

    def narrowed(self, keys: list[Any]) -> Any:
        """The QuerySet for just these keys."""
        return self._query.filter(pk__in=keys).order_by("pk")

    def count(self) -> int:
        """How many records there are."""
        return int(self._query.count())

    def _from(self, start: Any, *, after: bool) -> Any:
        query = self._query
        if start is not None:
            query = query.filter(pk__gt=start) if after else query.filter(pk__gte=start)
        return query.order_by("pk")


def asking(query: Any) -> Callable[[Callable[[DjangoPages], Any]], Awaitable[Any]]:
    """Ask in the thread that Django keeps for its connections beside an event loop."""
    sync_to_async: Any = import_module("asgiref.sync").sync_to_async  # comes with Django
    pages = DjangoPages(query)

    async def ask(question: Callable[[DjangoPages], Any]) -> Any:
        return await sync_to_async(question)(pages)

    return ask
