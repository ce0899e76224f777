"""The database of the shop, and beside it what three services of others remember: all in one SQLite file.

A real shop has its own database, and calls the services over HTTP. What matters here is the same: a charge
that was made stays made, whatever happens to the process that asked for it.
"""

import os
import sqlite3
import uuid
from contextlib import closing
from typing import Any

TABLES = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, address TEXT, cents INTEGER,
                         charge_id TEXT, email_id TEXT, fulfillment_id TEXT, declined TEXT);
    CREATE TABLE charges (id TEXT, cents INTEGER, key TEXT);
    CREATE TABLE emails (id TEXT, address TEXT, template TEXT, order_id INTEGER);
    CREATE TABLE fulfillments (id TEXT, address TEXT, key TEXT);
"""


def run(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """One statement, committed. A connection of its own, so that it may be called from anywhere."""
    with closing(sqlite3.connect(os.environ["SHOP_DB"])) as connection, connection:
        return connection.execute(sql, values).fetchall()


def create() -> None:
    """An empty database with one order, number 1."""
    with closing(sqlite3.connect(os.environ["SHOP_DB"])) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.executescript(TABLES)
    run("INSERT INTO orders (id, address, cents) VALUES (1, 'ann@example.org', 1200)")


# -- orders ------------------------------------------------------------------------------------------------


def order(order_id: int) -> dict[str, Any]:
    names = ("id", "address", "cents", "charge_id", "email_id", "fulfillment_id", "declined")
    rows = run(f"SELECT {', '.join(names)} FROM orders WHERE id = ?", order_id)
    return dict(zip(names, rows[0], strict=True))


def update(order_id: int, **values: Any) -> None:
    run(f"UPDATE orders SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?", *values.values(), order_id)


# -- the services of others --------------------------------------------------------------------------------


def charge(cents: int, key: str | None = None) -> str | None:
    """Take money. Answers the id of the charge, None if it was declined. A key that was seen gives the old charge."""
    if cents == 9999:
        return None
    known = run("SELECT id FROM charges WHERE key = ?", key)
    return known[0][0] if known else _insert("charges", cents, key)


def send_email(address: str, template: str, order_id: int) -> str:
    return _insert("emails", address, template, order_id)


def find_email(address: str, template: str, order_id: int) -> str | None:
    """The id of a mail that was sent before."""
    found = run(
        "SELECT id FROM emails WHERE address = ? AND template = ? AND order_id = ?", address, template, order_id
    )
    return found[0][0] if found else None


def request_fulfillment(address: str, key: str | None = None) -> str:
    """Ask for delivery. A key that was seen gives the old request."""
    known = run("SELECT id FROM fulfillments WHERE key = ?", key)
    return known[0][0] if known else _insert("fulfillments", address, key)


def count(table: str) -> int:
    return run(f"SELECT count(*) FROM {table}")[0][0]


def _insert(table: str, *values: Any) -> str:
    made = uuid.uuid4().hex[:8]
    run(f"INSERT INTO {table} VALUES ({', '.join('?' * (len(values) + 1))})", made, *values)
    return made
