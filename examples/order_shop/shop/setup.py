"""Make the shop ready, or new again."""

from __future__ import annotations

import pillion

from shop import catalogue, database, sample_data
from shop.behaviours import forget_behaviours
from shop.services import all_services
from shop.settings import settings


def set_up_if_new() -> None:
    """Create the tables, and load the sample data unless there is something."""
    database.create_tables()
    if not catalogue.has_user():
        sample_data.load()


def recreate_database() -> None:
    """All orders are lost; the sample data is there."""
    database.drop_tables()
    set_up_if_new()


def forget_everything() -> None:
    """Services behave, the fakes have forgotten everything, Redis is empty. Raises RuntimeError in production."""
    if settings().environment not in ("development", "test"):
        raise RuntimeError(f"APP_ENV is {settings().environment!r}: only development and test may be reset.")
    forget_behaviours()
    for service in all_services():
        service.clear()
    with pillion.redis() as connection:
        connection.flushdb()
