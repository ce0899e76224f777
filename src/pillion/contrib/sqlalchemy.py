"""SQLAlchemy: pushes that wait for the commit of a Session, sync or async (F019, F021).

    with pillion.transaction(session):          # or async with, for an AsyncSession
        session.add(order)
        session.flush()
        order.jid = CompleteOrder.perform_async(order.id)
        session.commit()                        # here the job is pushed; after a rollback never

Design record. Sessions tell of every transaction that begins and ends. What waits is kept beside the session, in its
`info`, under the transaction that was innermost at the push. When a savepoint is released, its jobs go to the
transaction around it; when the outermost transaction has been committed *and has ended*, they are pushed: by then its
connection is back in the pool, so no lock and no connection waits for Redis. Whatever ends otherwise takes its jobs
along: only a commit pushes.

In an AsyncSession all of this happens inside of the greenlet that drives the commit, so the push can be awaited there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from weakref import ReferenceType, ref

from sqlalchemy import event
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session, SessionTransaction

from pillion.client.held import Held, dropped, release, release_async
from pillion.client.transactions import Transaction
from pillion.config import Config
from pillion.contrib.watching import add_lookup
from pillion.errors import ConfigError

# In Session.info: what waits, and the transaction that has just been committed and ends next.
_WAITING: Final = "pillion.waiting"
_COMMITTED: Final = "pillion.committed"

# The sessions that have begun a transaction in this thread or task. Some may have ended, or be gone.
_begun_here: ContextVar[tuple[ReferenceType[Session], ...]] = ContextVar("pillion_sqlalchemy_begun", default=())


def watch(config: Config | None = None) -> None:
    """From now on Pillion knows which Sessions have an open transaction in a thread or task.

    Needed for the job option `transactional_push` and for `config.on_enqueue_in_transaction`, not for
    `pillion.transaction`. Call it once, where the application is set up, before sessions begin. `config` is that of
    the process unless given.
    """
    _listen()
    if not event.contains(Session, "after_transaction_create", _begun):
        event.listen(Session, "after_transaction_create", _begun)
    add_lookup(open_sessions, config)


def transaction_of(target: Any) -> Transaction | None:
    """The transaction of a Session, AsyncSession or a scoped one; None if it is none of these.

    Raises ConfigError for what is nearly one.
    """
    session = target() if hasattr(target, "registry") and callable(target) else target
    session = getattr(session, "sync_session", session)
    if not isinstance(session, Session):
        if type(target).__module__.partition(".")[0] == "sqlalchemy":
            hint = "Of an engine, a connection or a sessionmaker make a Session first: only that tells of its commits."
            raise ConfigError("transaction", "a Session or AsyncSession", target, hint)
        return None
    _listen()
    return SessionPushes(session)


@dataclass(frozen=True, slots=True)
class SessionPushes:
    """The transaction that a session has, or will begin when something waits for it."""

    session: Session

    def __str__(self) -> str:
        return "a transaction of a SQLAlchemy session"

    @property
    def is_open(self) -> bool:
        """A session begins its transaction by itself, so there is always one to wait for."""
        return True

    @property
    def is_async(self) -> bool:
        """Whether it is the session of an AsyncSession."""
        try:
            return bool(self.session.get_bind().dialect.is_async)
        except UnboundExecutionError:  # each class has a database of its own; an AsyncSession knows that it is one
            # Who has an AsyncSession has loaded this. It needs greenlet, which a plain Session must do without.
            loaded = sys.modules.get("sqlalchemy.ext.asyncio")
            return loaded is not None and loaded.async_session(self.session) is not None

    def hold(self, held: Held) -> None:
        """As `Transaction.hold`. A session without a transaction begins one, as it does for `session.add`."""
        waiting = _waiting_of(self.session)
        with waiting.lock:
            transaction = _innermost(self.session) or self.session.begin()
            waiting.held.setdefault(transaction, []).append(held)


class _Waiting:
    """What waits for the transactions of one session."""

    __slots__ = ("held", "lock")

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a task may have handed its context to a thread
        self.held: dict[SessionTransaction, list[Held]] = {}


def _waiting_of(session: Session) -> _Waiting:
    waiting: _Waiting = session.info.setdefault(_WAITING, _Waiting())
    return waiting


def _innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


# -- what sessions tell ----------------------------------------------------------------------------------


def _listen() -> None:
    for name, listener in (("after_commit", _committed), ("after_transaction_end", _ended)):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def _begun(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        others = (each for each in _begun_here.get() if (other := each()) is not session and _is_open(other))
        _begun_here.set((*others, ref(session)))


def _committed(session: Session) -> None:
    """The innermost transaction has been committed, or its savepoint released. It ends next."""
    session.info[_COMMITTED] = _innermost(session)


def _ended(session: Session, transaction: SessionTransaction) -> None:
    is_committed = session.info.get(_COMMITTED) is transaction
    if is_committed:
        del session.info[_COMMITTED]
    waiting: _Waiting | None = session.info.get(_WAITING)
    if waiting is None or transaction not in waiting.held:
        return
    with waiting.lock:
        held = waiting.held.pop(transaction)
        outer = _innermost(session)
        if is_committed and transaction.parent is not None and outer is not None:
            waiting.held.setdefault(outer, []).extend(held)
            return
    if is_committed:
        _push([each for each in held if each.is_due()])
    else:
        dropped(held)


def _push(helds: list[Held]) -> None:
    if any(held.is_async for held in helds):
        _await(release_async(helds))
    else:
        release(helds)


def _await(pushing: Awaitable[None]) -> None:
    """Let the task that awaits the commit await this too. It goes on to its end if that task is cancelled."""
    import asyncio

    from sqlalchemy.util import await_only

    await_only(asyncio.shield(asyncio.ensure_future(pushing)))


# -- what is open ----------------------------------------------------------------------------------------


def open_sessions() -> Iterator[SessionPushes]:
    """The sessions that have an open transaction, begun in this thread or task."""
    for each in _begun_here.get():
        session = each()
        if session is not None and _is_open(session):
            yield SessionPushes(session)


def _is_open(session: Session | None) -> bool:
    return session is not None and session.in_transaction()
