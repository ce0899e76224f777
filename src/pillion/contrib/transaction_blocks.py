"""`pillion.transaction`: a block whose pushes wait for the commit of a database transaction (F019).

    with pillion.transaction(session): ...          # SQLAlchemy: a Session, an AsyncSession, a scoped one
    with pillion.transaction("default"): ...        # Django: the alias of a database

It commits nothing: that is done as ever, inside of the block or after it. What is pushed in the block waits for the
commit of the transaction that is open at that moment, also when the block has ended by then.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import Token
from types import TracebackType
from typing import Any

from pillion.client.transactions import Chosen, Transaction, around
from pillion.errors import ConfigError


class transaction:  # noqa: N801 -- it is written as a block, like `contextlib.suppress`
    """Inside of `with transaction(target)` or `async with`, pushes of this thread or task wait for a commit.

    `target` is a SQLAlchemy Session or AsyncSession (or a scoped one), or the alias of a Django database. Blocks of
    several targets may be nested: a push waits for all of them. Raises ConfigError for any other target.
    """

    def __init__(self, target: Any) -> None:
        self._transaction = _transaction_of(target)
        self._tokens: list[Token[Chosen]] = []

    def __enter__(self) -> None:
        self._tokens.append(around.set((*around.get(), self._transaction)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(ValueError):  # a fixture or dependency that yields inside of the block may end elsewhere
            around.reset(self._tokens.pop())

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def _transaction_of(target: Any) -> Transaction:
    if isinstance(target, str):
        return _of_django(target)
    found = _of_sqlalchemy(target) if "sqlalchemy.orm" in sys.modules else None
    if found is None:
        raise ConfigError("transaction", "a SQLAlchemy session or the alias of a Django database", target)
    return found


def _of_sqlalchemy(target: Any) -> Transaction | None:
    from pillion.contrib.sqlalchemy import transaction_of

    return transaction_of(target)


def _of_django(alias: str) -> Transaction:
    if "django.db" not in sys.modules:
        hint = "Set Django up first, or hand over a SQLAlchemy session."
        raise ConfigError("transaction", "the alias of a database of a Django project in this process", alias, hint)
    from pillion.contrib.django.transactions import transaction_of

    return transaction_of(alias)
