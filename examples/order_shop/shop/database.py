"""The database: one engine for each process, and sessions that are open for moments only.

SQLite by default; `DATABASE_URL=postgresql://localhost/shop` for Postgres.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

from shop.models import Base
from shop.settings import settings


@cache
def engine() -> Engine:
    """The engine of this process. Nothing is opened before the first query."""
    made = create_engine(settings().database_url)
    if made.dialect.name == "sqlite":
        if made.url.database:
            Path(made.url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(made, "connect", _prepare_sqlite)
    return made


@contextmanager
def session() -> Iterator[Session]:
    """A session. What it has read can still be used when it is closed; what was not committed is undone."""
    with Session(engine(), expire_on_commit=False) as opened:
        yield opened


def create_tables() -> None:
    """Create the tables that are not there."""
    Base.metadata.create_all(engine())


def drop_tables() -> None:
    """Delete all tables with all that is in them."""
    Base.metadata.drop_all(engine())


def status() -> dict[str, str]:
    """Ask the database how it is. Raises SQLAlchemyError if it does not answer."""
    with session() as opened:
        opened.execute(text("SELECT 1"))
        version = ".".join(map(str, opened.connection().dialect.server_version_info or ()))
    return {"status": "up", "version": version}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    """Web and worker share the file: readers must not wait for a writer, and writers wait for each other."""
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
