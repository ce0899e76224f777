"""What a type checker must accept of transactions. Run by test_types.py; never executed."""

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import pillion
from pillion.contrib import django as django_watcher
from pillion.contrib import sqlalchemy as sqlalchemy_watcher


class CompleteOrder(pillion.Job, transactional_push=True):
    def perform(self, order_id: int) -> None: ...


def order() -> str | None:
    with Session(create_engine("sqlite://")) as session, pillion.transaction(session):
        jid = CompleteOrder.perform_async(1)
        CompleteOrder.set(transactional_push=False).perform_async(2)
        session.commit()
    with pillion.transaction("default"):
        return jid


async def order_aio() -> None:
    async with AsyncSession(create_async_engine("sqlite+aiosqlite://")) as session, pillion.transaction(session):
        await CompleteOrder.perform_async.aio(1)
        await session.commit()


def set_up(config: pillion.Config) -> None:
    django_watcher.watch(config)
    sqlalchemy_watcher.watch()
    config.on_enqueue_in_transaction = "raise"
