"""The transactions of Django's connections: what `transaction.on_commit` can wait for.

Design record. Django does nearly all of it: it keeps what is handed to `on_commit`, forgets it when the savepoint or
the transaction is rolled back, and calls it after the outermost commit. Each push is a call of its own, as Django tells
nobody what it has forgotten. It stops at the first call that raises, so that one names the jobs behind it too.

A transaction belongs to a connection, and that to a thread: so an alias stands for the connection of the thread that
pushes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final
from weakref import WeakSet

from pillion.client.held import Held, lost, release
from pillion.client.transactions import Transaction
from pillion.config import Config
from pillion.contrib.watching import add_lookup
from pillion.errors import ConfigError

_db: Any = import_module("django.db")  # Django brings no types
_SIBLINGS: Final = "pillion_waiting"  # on a connection: what waits for its transactions


def watch(config: Config | None = None) -> None:
    """From now on Pillion knows which databases have an open `atomic` block in a thread.

    Needed for the job option `transactional_push` and for `config.on_enqueue_in_transaction`, not for
    `pillion.transaction`. `config` is that of the process unless given. With "pillion.contrib.django" in
    INSTALLED_APPS it is called by itself.
    """
    add_lookup(open_transactions, config)


def transaction_of(target: Any) -> Transaction | None:
    """The transactions of a database of this project, by its alias; None for what is no text. Raises ConfigError."""
    if not isinstance(target, str):
        return None
    if target not in _db.connections:
        raise ConfigError("transaction", f"one of the databases {', '.join(_db.connections)}", target)
    return AliasPushes(target)


@dataclass(frozen=True, slots=True)
class AliasPushes:
    """The transaction that a database has in the thread that asks."""

    alias: str

    def __str__(self) -> str:
        return f"a transaction of the Django database {self.alias!r}"

    @property
    def is_open(self) -> bool:
        """Whether this thread is inside of `atomic`, or commits by hand. That of a TestCase does not count."""
        connection = _db.connections[self.alias]
        return _is_atomic(connection) or (connection.connection is not None and not connection.autocommit)

    @property
    def is_async(self) -> bool:
        """Never: Django has no transactions that are awaited."""
        return False

    def hold(self, held: Held) -> None:
        """As `Transaction.hold`. Raises TransactionManagementError where commits are made by hand."""
        connection = _db.connections[self.alias]
        siblings: WeakSet[_Push] = connection.__dict__.setdefault(_SIBLINGS, WeakSet())
        push = _Push(held, siblings)
        connection.on_commit(push)
        siblings.add(push)


class _Push:
    """What Django calls after the commit. Django holds it until then, and forgets it after a rollback."""

    def __init__(self, held: Held, siblings: WeakSet[_Push]) -> None:
        self._held = held
        self._siblings = siblings

    def __call__(self) -> None:
        self._siblings.discard(self)
        if not self._held.is_due():
            return
        try:
            release([self._held])
        except BaseException as error:
            lost([push._held for push in self._siblings], error)
            raise


def open_transactions() -> Iterator[AliasPushes]:
    """The databases with an open `atomic` block in this thread."""
    for connection in _db.connections.all(initialized_only=True):
        if _is_atomic(connection):
            yield AliasPushes(connection.alias)


def _is_atomic(connection: Any) -> bool:
    """A TestCase is a block around each test, which never commits: to wait for that would be to wait for ever."""
    return any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
