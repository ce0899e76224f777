"""An order that knows its job, in SQLAlchemy and in Django, on whatever database a test brings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connections, models
from django.db.backends.signals import connection_created
from own_home import OwnHome
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ALIAS = "orders"  # a database of its own, whatever other tests have set up
PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF")  # a writer does not keep readers out


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "tx_orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    jid: Mapped[str | None]


if not settings.configured:
    settings.configure(INSTALLED_APPS=[], DATABASES={}, USE_TZ=True)
    django.setup()


class Purchase(models.Model):
    jid = models.TextField(null=True)

    class Meta:
        app_label = "transaction_tests"


def orders_home() -> OwnHome:
    """A home with the jobs Complete and Waiting (transactional_push=True)."""
    home = OwnHome()

    class Complete(home.Job):
        def perform(self, number: int) -> None: ...

    class Waiting(home.Job, transactional_push=True):
        def perform(self, number: int) -> None: ...

    home.Complete, home.Waiting = Complete, Waiting
    return home


def numbers(sent: Any) -> list[Any]:
    """The first argument of each job that was sent."""
    return [payload["args"][0] for payload in sent.pushed]


def sqlite_engine(path: Path, begin: str = "BEGIN") -> Any:
    """A SQLAlchemy engine on a SQLite file with the table of orders. `begin` is the statement that does it."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 60})
    # The driver begins a transaction only before it writes, so a savepoint before that would be one of nothing.
    event.listen(engine, "connect", _hand_over)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    Base.metadata.create_all(engine)
    return engine


def _hand_over(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def sqlite_settings(path: Path) -> dict[str, Any]:
    """The settings of Django for a SQLite file."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {"timeout": 60}}


def _tune(sender: Any, connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":
        for pragma in PRAGMAS:
            connection.connection.execute(pragma)


@contextlib.contextmanager
def django_database(database: dict[str, Any], alias: str = ALIAS) -> Iterator[None]:
    """`database` is the Django database `alias`, with an empty table of Purchases."""
    connections.databases[alias] = connections.configure_settings({"default": {}, alias: database})[alias]
    connection_created.connect(_tune)
    try:
        with connections[alias].schema_editor() as editor:
            editor.create_model(Purchase)
        yield
        with connections[alias].schema_editor() as editor:
            editor.delete_model(Purchase)
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]
