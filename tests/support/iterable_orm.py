"""Tables in a real SQLite file, through SQLAlchemy and through Django."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import django
from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections, models
from sqlalchemy import ForeignKey, create_engine, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

ALIAS = "iterable"  # a database of its own, whatever other tests have set up


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    user_id: Mapped[int] = mapped_column("id", primary_key=True)
    name: Mapped[str]
    sent: Mapped[bool] = mapped_column(default=False)
    letters: Mapped[list[Letter]] = relationship()


class Letter(Base):
    __tablename__ = "letters"
    key: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class Seat(Base):
    __tablename__ = "seats"
    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)


def sqlite(path: Path, users: int) -> Any:
    """A SQLAlchemy engine on a new file with so many users, whose ids are 10, 20, 30 and so on."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for start in range(1, users + 1, 10_000):
            rows = [{"user_id": n * 10, "name": f"user {n}"} for n in range(start, min(start + 10_000, users + 1))]
            session.execute(insert(User), rows)
        session.commit()
    return engine


if not settings.configured:
    settings.configure(INSTALLED_APPS=[], DATABASES={}, USE_TZ=True)
    django.setup()


class Customer(models.Model):
    name = models.TextField()
    sent = models.BooleanField(default=False)

    class Meta:
        app_label = "iterable_tests"


class Parcel(models.Model):
    key = models.UUIDField(primary_key=True)
    owner = models.ForeignKey(Customer, models.CASCADE, null=True)

    class Meta:
        app_label = "iterable_tests"


def _install() -> None:
    """Make an app of this module: only the models of those know who refers to them."""
    app: Any = AppConfig("iterable_tests", sys.modules[__name__])
    app.apps, app.models = apps, apps.all_models[app.label]
    apps.app_configs[app.label] = app
    apps.clear_cache()


_install()


def django_sqlite(path: Path, customers: int) -> None:
    """A new SQLite file as the Django database ALIAS, with so many customers, whose ids are 10, 20, 30 and so on."""
    settings_of = {"default": {}, ALIAS: {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}}
    connections.databases[ALIAS] = connections.configure_settings(settings_of)[ALIAS]
    with connections[ALIAS].schema_editor() as editor:
        editor.create_model(Customer)
        editor.create_model(Parcel)
    rows = [Customer(pk=n * 10, name=f"user {n}") for n in range(1, customers + 1)]
    Customer.objects.using(ALIAS).bulk_create(rows, batch_size=500)


def close_django() -> None:
    """Close the database ALIAS in this thread and forget it."""
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.databases[ALIAS]
