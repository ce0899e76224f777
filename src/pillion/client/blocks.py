"""`pillion.transaction`: a block whose pushes wait for the commit of a database transaction (F019).

    with pillion.transaction(session): ...          # SQLAlchemy: a Session, an AsyncSession, a scoped one
    with pillion.transaction("default"): ...        # Django: the alias of a database

It commits nothing: that is done as ever, inside of the block or after it. What is pushed in the block waits for the
commit of the transaction that is open at that moment, also when the block has ended by then.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import TracebackType
from typing import Any

from pillion.client.transactions import LIBRARIES, Chosen, Transaction, around
from pillion.errors import ConfigError


class transaction:  # noqa: N801 -- it is written as a block, like `contextlib.suppress`
    """Inside of `with transaction(target)` or `async with`, pushes of this thread or task wait for a commit.

    `target` is a SQLAlchemy Session or AsyncSession (or a scoped one), or the alias of a Django database. Blocks of
    several targets may be nested: a push waits for all of them. Raises ConfigError for any other target.
    """

    def __init__(self, target: Any) -> None:
        self._transaction = _transaction_of(target)

    def __enter__(self) -> None:
        around.set((*around.get(), self._transaction))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # By what is there now, not by a token: one object may serve many threads, and a fixture or dependency that
        # yields inside of the block may end elsewhere.
        around.set(_without_last(around.get(), self._transaction))

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def _without_last(chosen: Chosen, transaction: Transaction) -> Chosen:
    for place in reversed(range(len(chosen))):
        if chosen[place] == transaction:
            return (*chosen[:place], *chosen[place + 1 :])
    return chosen


def _transaction_of(target: Any) -> Transaction:
    """Ask those who know the database libraries that are loaded here; their modules are named, not imported, above."""
    for library, watcher in LIBRARIES.items():
        if library in sys.modules:
            found: Transaction | None = import_module(watcher).transaction_of(target)
            if found is not None:
                return found
    hint = "That of Django is known once Django has been set up." if isinstance(target, str) else ""
    raise ConfigError("transaction", "a SQLAlchemy session or the alias of a Django database", target, hint)
