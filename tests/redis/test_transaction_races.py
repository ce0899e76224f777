"""1,000 transactions on SQLite that push, against a worker that never stops looking: it never sees a missing row."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from transaction_orm import Order, django_database, sqlite_engine, sqlite_settings
from transaction_scene import (
    Scene,
    django_trial,
    in_threads,
    read_purchase,
    reader,
    sqlalchemy_trial,
    sqlalchemy_trials_aio,
)

TRIALS = range(1000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "orders.db"


@pytest.fixture
def engine(path):
    engine = sqlite_engine(path, "BEGIN IMMEDIATE")
    yield engine
    engine.dispose()


@pytest.fixture
def reading(path):
    """An engine whose transactions do not wait for those that write."""
    engine = sqlite_engine(path)
    yield engine
    engine.dispose()


@pytest.fixture
def scene(storage, redis_url, reading):
    scene = Scene(storage, redis_url, reader(reading))
    yield scene
    scene.close()


def test_sqlalchemy(scene, engine):
    in_threads(sqlalchemy_trial(scene, engine), TRIALS)
    scene.check(TRIALS)


def test_sqlalchemy_with_asyncio(scene, path, engine):
    async def main():
        # One at a time: the driver begins a transaction with its first write, and has no other way to queue.
        asynchronous = create_async_engine(f"sqlite+aiosqlite:///{path}")
        try:
            await sqlalchemy_trials_aio(scene, asynchronous, TRIALS, at_a_time=1)
        finally:
            await asynchronous.dispose()

    asyncio.run(main())
    scene.check(TRIALS)


def test_django(storage, redis_url, path):
    with django_database(sqlite_settings(path)):
        scene = Scene(storage, redis_url, read_purchase)
        try:
            in_threads(django_trial(scene), TRIALS)
            scene.check(TRIALS)
        finally:
            scene.close()


def test_the_worker_does_see_a_missing_row_where_pushes_do_not_wait(scene, engine):
    with Session(engine) as session:
        session.add(Order(id=1))
        session.flush()
        scene.complete.perform_async(1)
        scene.wait_for_the_worker(0)
        session.commit()
    assert scene.missing == [1]
