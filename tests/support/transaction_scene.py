"""Transactions that push, again and again, against a worker that is never done waiting.

Each job looks for the row it was pushed for, in a transaction of its own, and notes whether it is there and names the
job. In a slow transaction a second job is pushed *past* it and awaited before the commit: the queue is in order, so had
the first one been pushed too soon, it would have run, and found nothing, by then. Nothing here depends on time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connections
from django.db import transaction as django_transaction
from engine import Engine, until
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from transaction_orm import ALIAS, Order, Purchase

import pillion
from pillion import Job, default
from pillion.config import Config, RedisConfig
from pillion.contrib import django as django_watcher
from pillion.contrib import sqlalchemy as sqlalchemy_watcher
from pillion.storage.sync import Storage

KINDS = ("commit", "rollback", "savepoint lost", "savepoint kept", "slow", "slow rollback")
# A job for each order; order 10 n is made by trial n, order 10 n + 1 in a savepoint of it.
COMMITTED: dict[str, tuple[int, ...]] = {
    "commit": (0,),
    "rollback": (),
    "savepoint lost": (0,),
    "savepoint kept": (0, 1),
    "slow": (0,),
    "slow rollback": (),
}


class Lost(Exception):
    """Rolls a savepoint back."""


def kind_of(number: int) -> str:
    return KINDS[number % len(KINDS)]


def expected(trials: Iterable[int]) -> list[int]:
    """The orders whose jobs are to run."""
    return sorted(10 * number + which for number in trials for which in COMMITTED[kind_of(number)])


class Scene:
    """The jobs, a worker for them, and what they have seen. `read_jid(order)` reads the row; None if there is none."""

    def __init__(self, storage: Storage, url: str, read_jid: Callable[[int], str | None]) -> None:
        self.ran: list[int] = []
        self.missing: list[int] = []
        self._looked: dict[int, threading.Event] = {}
        default.reset()
        default.install(Config(redis=RedisConfig(url=url)))
        for watcher in (django_watcher, sqlalchemy_watcher):
            watcher.watch(default.config())
        self.complete, self.look = _jobs(self, read_jid)
        self.worker = Engine(storage, concurrency=1)
        self.worker.registry = default.registry()
        self.worker.start()

    def close(self) -> None:
        self.worker.stop()
        default.reset()

    def saw(self, order: int, *, is_there: bool) -> None:
        self.ran.append(order)
        if not is_there:
            self.missing.append(order)

    def looked(self, number: int) -> None:
        self._looked[number].set()

    def push(self, number: int, order: int) -> str | None:
        """Push the job of an order: every second trial relies on the option, the others on a block around it."""
        return self._complete_of(number).perform_async(order)

    async def push_aio(self, number: int, order: int) -> str | None:
        return await self._complete_of(number).perform_async.aio(order)

    def block(self, number: int, target: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if number % 2 else pillion.transaction(target)

    def wait_for_the_worker(self, number: int) -> None:
        """Until it has run all that was pushed before."""
        has_looked = self._looked[number] = threading.Event()
        self.look.perform_async(number)
        assert has_looked.wait(60)

    def check(self, trials: Iterable[int]) -> None:
        """All that was committed has run, once, and found its row; nothing else has run."""
        wanted = expected(trials)
        until(lambda: len(self.ran) >= len(wanted), f"{len(wanted)} jobs")
        self.wait_for_the_worker(-1)
        assert (sorted(self.ran), self.missing, self.worker.reports) == (wanted, [], [])

    def _complete_of(self, number: int) -> Any:
        return self.complete.set(transactional_push=True) if number % 2 else self.complete


def _jobs(scene: Scene, read_jid: Callable[[int], str | None]) -> tuple[Any, Any]:
    class Complete(Job):
        def perform(self, order: int) -> None:
            scene.saw(order, is_there=read_jid(order) == self.jid)

    class Look(Job, transactional_push=False):
        def perform(self, number: int) -> None:
            scene.looked(number)

    return Complete, Look


def in_threads(trial: Callable[[int], None], trials: Iterable[int], count: int = 4) -> None:
    """Carry out `trial(number)` for all, in so many threads."""
    numbers, errors = list(trials), []

    def work(own: list[int]) -> None:
        try:
            for number in own:
                trial(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(numbers[start::count],)) for start in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


# -- the ways to push ------------------------------------------------------------------------------------


def sqlalchemy_trial(scene: Scene, engine: Any) -> Callable[[int], None]:
    def order(session: Session, number: int, key: int) -> None:
        made = Order(id=key)
        session.add(made)
        session.flush()
        made.jid = scene.push(number, key)

    def trial(number: int) -> None:
        kind = kind_of(number)
        with Session(engine) as session, scene.block(number, session):
            order(session, number, 10 * number)
            if kind.startswith("savepoint"):
                with contextlib.suppress(Lost), session.begin_nested():
                    order(session, number, 10 * number + 1)
                    if kind == "savepoint lost":
                        raise Lost
            if kind.startswith("slow"):
                session.flush()
                scene.wait_for_the_worker(number)
            (session.rollback if kind.endswith("rollback") else session.commit)()

    return trial


async def sqlalchemy_trials_aio(scene: Scene, engine: Any, trials: Iterable[int], at_a_time: int = 8) -> None:
    async def order(session: AsyncSession, number: int, key: int) -> None:
        made = Order(id=key)
        session.add(made)
        await session.flush()
        made.jid = await scene.push_aio(number, key)

    async def trial(number: int) -> None:
        kind = kind_of(number)
        async with AsyncSession(engine) as session:
            with scene.block(number, session):
                await order(session, number, 10 * number)
                if kind.startswith("savepoint"):
                    with contextlib.suppress(Lost):
                        async with session.begin_nested():
                            await order(session, number, 10 * number + 1)
                            if kind == "savepoint lost":
                                raise Lost
                if kind.startswith("slow"):
                    await session.flush()
                    await asyncio.to_thread(scene.wait_for_the_worker, number)
                await (session.rollback if kind.endswith("rollback") else session.commit)()

    places = asyncio.Semaphore(at_a_time)

    async def in_turn(number: int) -> None:
        async with places:
            await trial(number)

    await asyncio.gather(*map(in_turn, trials))


def django_trial(scene: Scene) -> Callable[[int], None]:
    def order(number: int, key: int) -> None:
        made = Purchase.objects.using(ALIAS).create(pk=key)
        made.jid = scene.push(number, key)
        made.save(using=ALIAS)

    def trial(number: int) -> None:
        kind = kind_of(number)
        with contextlib.suppress(Lost), django_transaction.atomic(ALIAS), scene.block(number, ALIAS):
            order(number, 10 * number)
            if kind.startswith("savepoint"):
                with contextlib.suppress(Lost), django_transaction.atomic(ALIAS):
                    order(number, 10 * number + 1)
                    if kind == "savepoint lost":
                        raise Lost
            if kind.startswith("slow"):
                scene.wait_for_the_worker(number)
            if kind.endswith("rollback"):
                raise Lost

    return trial


def reader(engine: Any) -> Callable[[int], str | None]:
    """Reads the jid of an order in a transaction of its own."""

    def read(order: int) -> str | None:
        with Session(engine) as session:
            return session.scalar(select(Order.jid).where(Order.id == order))

    return read


def read_purchase(order: int) -> str | None:
    """The same through Django, whose connections stay with the thread: here with one of the worker."""
    try:
        return Purchase.objects.using(ALIAS).filter(pk=order).values_list("jid", flat=True).first()
    finally:
        connections[ALIAS].close()
