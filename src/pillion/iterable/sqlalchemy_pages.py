"""The pages of a SQLAlchemy `select`, by primary key. Imported only when one is handed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy import inspect as look

from pillion.errors import ConfigError

_FROM_TEXT: dict[type, Any] = {
    UUID: UUID,
    Decimal: Decimal,
    float: float,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
}


class SqlAlchemyPages:
    """One `select`, read page by page with a Session or a Connection."""

    def __init__(self, query: Any, session: Any) -> None:
        if not callable(getattr(session, "execute", None)) or hasattr(session, "run_sync"):
            hint = "An AsyncSession is for `.aio(...)` in an async job." if session is not None else ""
            raise ConfigError("session", "the Session or Connection to read with", session, hint)
        if query._limit_clause is not None or query._offset_clause is not None:
            hint = "It is read in pages, each with a limit of its own."
            raise ConfigError("query", "a select without limit and offset", str(query), hint)
        self._query = query
        self._session = session
        described = query.column_descriptions
        entity = described[0].get("entity")
        self._is_entity = len(described) == 1 and entity is not None and described[0]["expr"] is entity
        self._column, self._name = _key_of_entity(entity) if entity is not None else _key_of_table(query)
        if not self._is_entity and not any(_is_column(one, self._name, self._column) for one in described):
            hint = f"Select {self._column} as well, or the mapped class."
            raise ConfigError("query", f"its primary key {self._name!r} among its columns", str(query), hint)
        self._may_repeat = _may_repeat(query)

    def page(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """The next records from the key `start` on, or `after` it; all that have the last key, however many."""
        query = self._from(self._query, start, after=after)
        if not self._may_repeat:
            query = query.limit(size)
        elif (last := self._key_at(start, size, after=after)) is not None:
            query = query.where(self._column <= last)
        found = self._session.execute(query)
        return list(found.scalars().unique()) if self._is_entity else list(found)

    def keys(self, start: Any, size: int, *, after: bool) -> list[Any]:
        """Only their keys."""
        return list(self._session.execute(self._from(self._only_keys(), start, after=after).limit(size)).scalars())

    def key(self, record: Any) -> Any:
        """The primary key of a record."""
        return getattr(record, self._name)

    def key_of(self, cursor: Any) -> Any:
        """The key that was stored as this cursor."""
        try:
            read = _FROM_TEXT.get(self._column.type.python_type, _unchanged)
        except NotImplementedError:  # a type that does not say
            read = _unchanged
        return read(cursor)

    def narrowed(self, keys: list[Any]) -> Any:
        """The select for just these keys."""
        return self._query.where(self._column.in_(keys)).order_by(None).order_by(self._column)

    def count(self) -> int:
        """How many records there are."""
        keys = self._only_keys().order_by(None)
        inner = (keys.distinct() if self._is_entity and self._may_repeat else keys).subquery()
        return int(self._session.execute(select(func.count()).select_from(inner)).scalar_one())

    def _only_keys(self) -> Any:
        return self._query.with_only_columns(self._column, maintain_column_froms=True)

    def _key_at(self, start: Any, size: int, *, after: bool) -> Any:
        """The key of the record at place `size`; None if there are not so many."""
        query = self._from(self._only_keys(), start, after=after).offset(size - 1).limit(1)
        return self._session.execute(query).scalar()

    def _from(self, query: Any, start: Any, *, after: bool) -> Any:
        if start is not None:
            query = query.where(self._column > start if after else self._column >= start)
        return query.order_by(None).order_by(self._column)


def asking(query: Any, session: Any) -> Callable[[Callable[[SqlAlchemyPages], Any]], Awaitable[Any]]:
    """Ask through an AsyncSession or AsyncConnection. Raises ConfigError."""
    if not callable(getattr(session, "run_sync", None)):
        raise ConfigError("session", "the AsyncSession or AsyncConnection to read with", session)

    async def ask(question: Callable[[SqlAlchemyPages], Any]) -> Any:
        def inside(inner: Any) -> Any:
            return question(SqlAlchemyPages(query, inner))

        return await session.run_sync(inside)

    return ask


def _may_repeat(query: Any) -> bool:
    """Whether a key may come more than once, as in a join; never where the query is of one table only."""
    froms = query.get_final_froms()
    return len(froms) != 1 or not isinstance(getattr(froms[0], "element", froms[0]), Table)


def _is_column(described: Any, name: str, column: Any) -> bool:
    """Whether this part of a query is `column` under its own name: the other table of a join may have that name too."""
    expression = getattr(described["expr"], "__clause_element__", lambda: described["expr"])()
    wanted = getattr(column, "__clause_element__", lambda: column)()
    return described["name"] == name and bool(expression.compare(wanted))


def _key_of_entity(entity: Any) -> tuple[Any, str]:
    mapper: Any = look(entity).mapper
    name = mapper.get_property_by_column(_only(mapper.primary_key, mapper)).key
    return getattr(entity, name), name


def _key_of_table(query: Any) -> tuple[Any, str]:
    froms = query.get_final_froms()
    table = froms[0] if froms else None
    column = _only(getattr(table, "primary_key", ()), table)
    return column, column.name


def _only(columns: Any, owner: Any) -> Any:
    found = list(columns)
    if len(found) != 1:
        names = ", ".join(str(column.name) for column in found) or "none"
        raise ConfigError("query", f"one column as the primary key of {owner}", names, "Iterate over something else.")
    return found[0]


def _unchanged(cursor: Any) -> Any:
    return cursor
