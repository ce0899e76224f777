"""What Pillion knows of the SQLAlchemy sessions that are open in a thread, once it watches them."""

import threading

import pytest
from sqlalchemy.orm import Session
from transaction_orm import Order, numbers, orders_home, sqlite_engine

from pillion.contrib import sqlalchemy as watcher
from pillion.errors import EnqueuedInTransaction


@pytest.fixture
def engine(tmp_path):
    engine = sqlite_engine(tmp_path / "orders.db")
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session


@pytest.fixture
def watching():
    home = orders_home()
    watcher.watch(home.settings)
    return home


def test_a_job_with_the_option_waits_for_the_session_that_is_open_here(watching, session):
    watching.Waiting.perform_async(1)
    session.add(Order(id=1))
    watching.Waiting.perform_async(2)
    assert numbers(watching.sent) == [1]
    session.commit()
    assert numbers(watching.sent) == [1, 2]


def test_a_session_is_open_from_its_first_change_to_its_end(watching, session):
    assert list(watcher.open_sessions()) == []
    session.add(Order(id=1))
    assert len(list(watcher.open_sessions())) == 1
    session.commit()
    assert list(watcher.open_sessions()) == []
    session.get(Order, 1)
    assert len(list(watcher.open_sessions())) == 1
    session.close()
    assert list(watcher.open_sessions()) == []


def test_it_waits_for_all_sessions_that_are_open_here(watching, engine, session):
    with Session(engine) as other:
        session.get(Order, 1)
        other.get(Order, 1)
        watching.Waiting.perform_async(1)
        other.commit()
        assert watching.sent.trips == []
        session.commit()
    assert numbers(watching.sent) == [1]


def test_sessions_of_other_threads_do_not_count(watching, session):
    session.add(Order(id=1))
    thread = threading.Thread(target=watching.Waiting.perform_async, args=(1,))
    thread.start()
    thread.join()
    assert numbers(watching.sent) == [1]


def test_the_guard_raises_where_a_session_is_open(watching, session):
    watching.settings.on_enqueue_in_transaction = "raise"
    watching.Complete.perform_async(1)
    session.add(Order(id=1))
    with pytest.raises(EnqueuedInTransaction, match=r"test_transaction_watching\.py:[0-9]+: a job"):
        watching.Complete.perform_async(2)
    session.rollback()
    watching.Complete.perform_async(3)
    assert numbers(watching.sent) == [1, 3]


def test_sessions_that_have_ended_are_forgotten(watching, engine):
    for _ in range(5):
        with Session(engine) as session:
            session.get(Order, 1)
    assert len(watcher._begun_here.get()) == 1


def test_twice_is_once(watching):
    watcher.watch(watching.settings)
    assert len(watching.settings.transactions) == 1
