"""Transactions: which database transactions a push has to wait for (F019), and the guard over the others (F021).

No I/O, and nothing of any database library: those of `pillion.contrib` say what is open, and keep what waits.

    around (ContextVar)      the transactions of the `with pillion.transaction(...)` blocks around this code
    config.transactions      lookups: each tells which transactions are open in this thread or task

The rules, in this order. A job that says `transactional_push=False` waits for nothing, and nobody complains. Inside of
blocks a push waits for their transactions. A job that says `transactional_push=True` waits for all that are open, and
so does every job where `config.on_enqueue_in_transaction` is "defer". With "warn" and "raise" there, what would be
pushed while a transaction is open is reported, with the line that pushes it.

Several transactions: a job waits until all of them have been committed, and is dropped when one of them is not.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from types import FrameType
from typing import Final, Protocol

from pillion.client.held import Held
from pillion.config import Config
from pillion.errors import ConfigError, EnqueuedInTransaction, InvalidJob

OPTION: Final = "transactional_push"

# The database libraries that we know how to watch: a module of each, and the one of ours that has, for it, `watch` and
# `transaction_of(target)`, which returns a Transaction, or None if the target is none of its own.
LIBRARIES: Final = {"sqlalchemy.orm": "pillion.contrib.sqlalchemy", "django.db": "pillion.contrib.django"}

_log = logging.getLogger("pillion")


class Transaction(Protocol):
    """A database transaction. Equal are those that are the same; `str()` names it in messages."""

    @property
    def is_open(self) -> bool:
        """Whether there is anything to wait for: else what is pushed is pushed at once."""
        ...

    @property
    def is_async(self) -> bool:
        """Whether its commit is awaited, so that a push after it can be as well."""
        ...

    def hold(self, held: Held) -> None:
        """Keep `held`; after the commit call `held.is_due()`, and `release` it if so. Forget it after a rollback."""
        ...


Lookup = Callable[[], Iterable[Transaction]]
Chosen = tuple[Transaction, ...]

around: ContextVar[Chosen] = ContextVar("pillion_transactions_around", default=())


def is_looked_for(config: Config) -> bool:
    """Whether a push made here has to look for transactions at all. Nearly none has: this must cost nothing."""
    return bool(around.get() or config.transactions or config.on_enqueue_in_transaction)


def choose(config: Config, *, says: bool | None, is_async: bool) -> Chosen:
    """The open transactions that a push made here and now has to wait for; () for: push at once.

    `says` is what the job says about `transactional_push`, None for nothing; `is_async`: the push is awaited. Raises
    EnqueuedInTransaction, InvalidJob if it can wait but its transaction cannot, and ConfigError if nobody could tell
    what is open.
    """
    if says is False:
        return ()
    blocks = around.get()
    guard = config.on_enqueue_in_transaction
    if blocks and not says:
        return _checked(_open(blocks), is_async=is_async)
    if not says and guard is None:
        return ()
    if not config.transactions and not blocks:
        refuse_unwatched(OPTION if says else "on_enqueue_in_transaction")
    found = _open([*blocks, *(each for lookup in config.transactions for each in lookup())])
    if says or guard == "defer":
        return _checked(found, is_async=is_async)
    if found:
        _complain(found, guard)
    return ()


def wait(held: Held, transactions: Chosen) -> None:
    """Have `held` wait for all of them."""
    held.waits_for(len(transactions))
    for transaction in transactions:
        transaction.hold(held)


def refuse_unwatched(option: str) -> None:
    """Raise ConfigError if a database library is loaded here, but nobody watches it; without one nothing is open."""
    loaded = [watcher for library, watcher in LIBRARIES.items() if library in sys.modules]
    if loaded:
        calls = " or ".join(f"{watcher}.watch()" for watcher in loaded)
        hint = f"Call {calls} once, where the application is set up; or push inside of `with pillion.transaction(...)`."
        raise ConfigError(option, "somebody to watch the transactions of this process", "nobody", hint)


def _open(transactions: Iterable[Transaction]) -> Chosen:
    return tuple(each for each in dict.fromkeys(transactions) if each.is_open)


def _checked(transactions: Chosen, *, is_async: bool) -> Chosen:
    for transaction in transactions:
        if is_async and not transaction.is_async:
            raise InvalidJob(
                OPTION,
                f"This push is awaited, but it has to wait for the commit of {transaction}, which is not. Expected a "
                "push without .aio, or a transaction whose commit is awaited, such as that of an AsyncSession.",
            )
    return transactions


def _complain(found: Chosen, guard: str | None) -> None:
    error = EnqueuedInTransaction(_caller(), " and ".join(map(str, found)))
    if guard == "raise":
        raise error
    _log.warning("%s", error)


def _caller() -> str:
    """`file:line` of the code that pushes: the innermost that is not ours."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] -- as `logging` does it
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "pillion":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "unknown:0"
