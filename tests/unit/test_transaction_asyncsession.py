"""Pushes that wait for an AsyncSession of SQLAlchemy, on a real SQLite."""

import asyncio
import contextlib

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, create_async_engine
from sqlalchemy.orm import Session
from transaction_orm import Base, Order, numbers, orders_home

import pillion
from pillion.contrib import sqlalchemy as watcher
from pillion.errors import EnqueuedInTransaction, InvalidJob, RedisError


@pytest.fixture
def here():
    return orders_home()


@pytest.fixture
def watching(here):
    watcher.watch(here.settings)
    return here


@pytest.fixture
def run(tmp_path):
    """run(main) runs `main(engine)` with an async engine on SQLite."""

    def run(main):
        async def body():
            engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'orders.db'}")
            try:
                async with engine.begin() as connection:
                    await connection.run_sync(Base.metadata.create_all)
                return await main(engine)
            finally:
                await engine.dispose()

        return asyncio.run(body())

    return run


def test_a_commit_pushes_and_a_rollback_does_not(here, run):
    async def main(engine):
        async with AsyncSession(engine) as session, pillion.transaction(session):
            session.add(Order(id=1, jid=await here.Complete.perform_async.aio(1)))
            await session.flush()
            assert here.sent_async.trips == []
            await session.commit()
            await here.Complete.perform_async.aio(2)
            await session.rollback()
        async with AsyncSession(engine) as session:
            return (await session.get(Order, 1)).jid

    assert run(main) == "j1"
    assert numbers(here.sent_async) == [1]


def test_savepoints(here, run):
    async def main(engine):
        async with AsyncSession(engine) as session, session.begin(), pillion.transaction(session):
            await here.Complete.perform_async.aio(1)
            async with session.begin_nested():
                await here.Complete.perform_bulk.aio([[2], [3]])
            with contextlib.suppress(ZeroDivisionError):
                async with session.begin_nested():
                    await here.Complete.perform_async.aio(4)
                    raise ZeroDivisionError

    run(main)
    assert numbers(here.sent_async) == [1, 2, 3]


def test_sync_pushes_wait_for_it_too(here, run):
    async def main(engine):
        async with AsyncSession(engine) as session, pillion.transaction(session):
            here.Complete.perform_async(1)
            await here.Complete.perform_async.aio(2)
            assert here.sent.trips == []
            await session.commit()

    run(main)
    assert (numbers(here.sent), numbers(here.sent_async)) == ([1], [2])


def test_each_task_has_its_own(here, run):
    async def main(engine):
        async def work(number, end):
            async with AsyncSession(engine) as session, pillion.transaction(session):
                await here.Complete.perform_async.aio(number)
                await asyncio.sleep(0)
                await end(session)

        await asyncio.gather(*(work(n, AsyncSession.commit if n % 2 else AsyncSession.rollback) for n in range(10)))

    run(main)
    assert sorted(numbers(here.sent_async)) == [1, 3, 5, 7, 9]


def test_an_error_after_the_commit_comes_out_of_it(here, run):
    async def refuse(ops):
        raise RedisError("down")

    here.sent_async.run_all = refuse

    async def main(engine):
        async with AsyncSession(engine) as session, pillion.transaction(session):
            session.add(Order(id=1))
            await here.Complete.perform_async.aio(1)
            with pytest.raises(RedisError, match="down"):
                await session.commit()
            assert await session.get(Order, 1) is not None

    run(main)


def test_a_task_that_is_cancelled_after_the_commit_pushes_all_the_same(here, run):
    async def main(engine):
        has_begun, may_end, has_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slow(ops):
            has_begun.set()
            await may_end.wait()
            has_ended.set()
            return [None] * len(ops)

        here.sent_async.run_all = slow

        async def work():
            async with AsyncSession(engine) as session, pillion.transaction(session):
                await here.Complete.perform_async.aio(1)
                await session.commit()

        task = asyncio.create_task(work())
        await has_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        may_end.set()
        await has_ended.wait()

    run(main)


def test_a_scoped_async_session(here, run):
    async def main(engine):
        scoped = async_scoped_session(lambda: AsyncSession(engine), asyncio.current_task)
        async with pillion.transaction(scoped):
            await here.Complete.perform_async.aio(1)
            await scoped.commit()
        await scoped.remove()

    run(main)
    assert numbers(here.sent_async) == [1]


def test_the_option_and_the_guard_see_its_transactions(watching, run):
    async def main(engine):
        async with AsyncSession(engine) as session:
            await session.get(Order, 1)
            await watching.Waiting.perform_async.aio(1)
            watching.settings.on_enqueue_in_transaction = "raise"
            with pytest.raises(EnqueuedInTransaction, match=r"test_transaction_asyncsession\.py:"):
                await watching.Complete.perform_async.aio(2)
            assert watching.sent_async.trips == []
            await session.commit()

    run(main)
    assert numbers(watching.sent_async) == [1]


def test_tasks_beside_each_other_do_not_see_each_others_sessions(watching, run):
    async def main(engine):
        begun, pushed = asyncio.Event(), asyncio.Event()

        async def transaction():
            async with AsyncSession(engine) as session:
                await session.get(Order, 1)
                begun.set()
                await pushed.wait()

        async def push():
            await begun.wait()
            await watching.Waiting.perform_async.aio(1)
            pushed.set()

        await asyncio.gather(transaction(), push())

    run(main)
    assert numbers(watching.sent_async) == [1]


def test_an_async_push_cannot_wait_for_a_sync_session(here):
    async def main():
        async with pillion.transaction(Session(create_engine("sqlite://"))):
            await here.Complete.perform_async.aio(1)

    with pytest.raises(InvalidJob, match=r"Expected a push without \.aio"):
        asyncio.run(main())


def test_nor_for_one_whose_classes_have_databases_of_their_own(here, tmp_path):
    async def main():
        await here.Complete.perform_async.aio(1)

    engine = create_engine(f"sqlite:///{tmp_path / 'orders.db'}")
    with Session(binds={Order: engine}) as session, pillion.transaction(session):
        with pytest.raises(InvalidJob, match="which is not"):
            asyncio.run(main())
        session.commit()
    engine.dispose()
    assert here.sent.trips == []


def test_an_async_session_whose_classes_have_databases_of_their_own(here, run):
    async def main(engine):
        async with AsyncSession(binds={Order: engine}) as session, pillion.transaction(session):
            session.add(Order(id=1, jid=await here.Complete.perform_async.aio(1)))
            await session.commit()

    run(main)
    assert numbers(here.sent_async) == [1]
