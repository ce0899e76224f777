"""1,000 transactions on Postgres that push, against a worker that never stops looking: it never sees a missing row.

Each commit takes a moment, as that of a database with work to do: a trigger sleeps in it. Two-phase commits are here,
as SQLite has none.
"""

import asyncio
import contextlib

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from transaction_orm import Base, Order, Purchase, django_database
from transaction_scene import (
    Scene,
    django_trial,
    in_threads,
    read_purchase,
    reader,
    sqlalchemy_trial,
    sqlalchemy_trials_aio,
)

import pillion

TRIALS = range(1000)

SLOW = """
CREATE OR REPLACE FUNCTION take_a_moment() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.001); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION take_a_moment();
"""


@pytest.fixture
def engine(postgres):
    engine = create_engine(postgres.url("psycopg"))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(SLOW.format(table="tx_orders")))
    yield engine
    Base.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def scene(storage, redis_url, engine):
    scene = Scene(storage, redis_url, reader(engine))
    yield scene
    scene.close()


def test_sqlalchemy(scene, engine):
    in_threads(sqlalchemy_trial(scene, engine), TRIALS)
    scene.check(TRIALS)


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_sqlalchemy_with_asyncio(scene, postgres, driver):
    async def main():
        engine = create_async_engine(postgres.url(driver))
        try:
            await sqlalchemy_trials_aio(scene, engine, TRIALS)
        finally:
            await engine.dispose()

    asyncio.run(main())
    scene.check(TRIALS)


def test_django(storage, redis_url, postgres, engine):
    with django_database(postgres.django()):
        with engine.begin() as connection:
            connection.execute(text(SLOW.format(table=Purchase._meta.db_table)))
        scene = Scene(storage, redis_url, read_purchase)
        try:
            in_threads(django_trial(scene), TRIALS)
            scene.check(TRIALS)
        finally:
            scene.close()


def two_phase(engine):
    return Session(engine, twophase=True)


def test_a_two_phase_commit_pushes_after_its_second_phase(scene, engine):
    with two_phase(engine) as session, pillion.transaction(session):
        session.add(Order(id=1, jid=scene.complete.perform_async(1)))
        session.flush()
        session.prepare()
        scene.wait_for_the_worker(0)
        assert scene.ran == []
        session.commit()
    scene.wait_for_the_worker(1)
    assert (scene.ran, scene.missing) == ([1], [])


def test_a_two_phase_commit_that_is_rolled_back_pushes_nothing(scene, engine):
    with two_phase(engine) as session, pillion.transaction(session):
        session.add(Order(id=1, jid=scene.complete.perform_async(1)))
        session.prepare()
        session.rollback()
    scene.wait_for_the_worker(0)
    assert scene.ran == []


def test_a_commit_that_the_database_refuses_pushes_nothing(scene, engine):
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE tx_orders ADD CONSTRAINT one_jid UNIQUE (jid) DEFERRABLE INITIALLY DEFERRED")
        )
    with Session(engine) as session, pillion.transaction(session):
        session.add_all([Order(id=1, jid="same"), Order(id=2, jid="same")])
        session.flush()
        scene.complete.perform_async(1)
        with contextlib.suppress(Exception):
            session.commit()
        session.rollback()
    scene.wait_for_the_worker(0)
    assert scene.ran == []


def test_a_connection_that_is_lost_before_the_commit_pushes_nothing(scene, engine):
    with Session(engine) as session, pillion.transaction(session):
        session.add(Order(id=1))
        session.flush()
        scene.complete.perform_async(1)
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with contextlib.suppress(Exception):
            session.commit()
        session.rollback()
    scene.wait_for_the_worker(0)
    assert scene.ran == []
