"""Pushes that wait for a SQLAlchemy session, sync and async, on a real SQLite."""

import asyncio
import contextlib
import gc
import logging
import threading
import weakref

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from transaction_orm import Order, numbers, orders_home, sqlite_engine

import pillion
from pillion.errors import ConfigError, RedisError


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
def here():
    return orders_home()


class TestABlock:
    def test_a_commit_pushes_and_the_jid_is_stored_in_the_same_transaction(self, here, engine, session):
        with pillion.transaction(session):
            order = Order(id=7)
            session.add(order)
            session.flush()
            order.jid = here.Complete.perform_async(order.id)
            assert here.sent.trips == []
            session.commit()
        assert [(payload["jid"], payload["args"]) for payload in here.sent.pushed] == [("j1", [7])]
        with Session(engine) as other:
            assert other.get(Order, 7).jid == "j1"

    def test_a_rollback_pushes_nothing(self, here, session):
        with pillion.transaction(session):
            session.add(Order(id=7))
            here.Complete.perform_async(7)
            session.rollback()
            session.commit()
        assert here.sent.trips == []

    def test_an_error_in_begin_pushes_nothing(self, here, session):
        with contextlib.suppress(ZeroDivisionError), session.begin(), pillion.transaction(session):
            here.Complete.perform_async(1)
            raise ZeroDivisionError
        assert here.sent.trips == []

    def test_one_object_in_two_threads_is_two_blocks(self, here, session):
        block = pillion.transaction(session)
        entered, ended = threading.Event(), threading.Event()

        def other():
            with block:
                entered.set()
                assert ended.wait(60)
            here.Complete.perform_async(1)

        thread = threading.Thread(target=other)
        with block:
            thread.start()
            assert entered.wait(60)
        here.Complete.perform_async(2)
        ended.set()
        thread.join()
        assert numbers(here.sent) == [2, 1]

    def test_the_commit_may_come_after_the_block(self, here, session):
        with session.begin():
            with pillion.transaction(session):
                here.Complete.perform_async(1)
            assert here.sent.trips == []
        assert numbers(here.sent) == [1]

    def test_a_push_before_the_first_statement_waits_too(self, here, session):
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            session.add(Order(id=1))
            assert here.sent.trips == []
            session.commit()
        assert numbers(here.sent) == [1]

    def test_each_commit_in_a_block_pushes_what_came_before_it(self, here, session):
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            session.commit()
            assert numbers(here.sent) == [1]
            here.Complete.perform_async(2)
            session.rollback()
            here.Complete.perform_async(3)
            session.commit()
        assert numbers(here.sent) == [1, 3]

    def test_a_session_that_is_closed_without_a_commit_pushes_nothing_and_the_log_says_so(self, here, engine, caplog):
        with caplog.at_level(logging.INFO, "pillion"), Session(engine) as session, pillion.transaction(session):
            session.add(Order(id=1))
            here.Complete.perform_async(1)
        assert here.sent.trips == []
        assert "Complete j1" in caplog.text

    def test_a_commit_that_fails_pushes_nothing(self, here, session):
        session.add(Order(id=1))
        session.commit()
        session.expunge_all()
        with pillion.transaction(session):
            session.add(Order(id=1))
            here.Complete.perform_async(1)
            with pytest.raises(IntegrityError):
                session.commit()
            session.rollback()
            session.commit()
        assert here.sent.trips == []

    def test_a_session_that_was_used_before_takes_part(self, here, session):
        session.add(Order(id=1))
        session.commit()
        session.get(Order, 1)
        with pillion.transaction(session):
            here.Complete.perform_async(1)
        session.commit()
        assert numbers(here.sent) == [1]

    def test_pushes_of_a_transaction_go_in_one_round_trip_in_order(self, here, session):
        with pillion.transaction(session):
            for number in range(5):
                here.Complete.perform_async(number)
            session.commit()
        assert (len(here.sent.trips), numbers(here.sent)) == (1, [0, 1, 2, 3, 4])

    def test_when_jobs_are_pushed_no_connection_is_held(self, here, session, engine):
        checked_out = []
        here.sent.run_all = lambda ops: [checked_out.append(engine.pool.checkedout())]
        with pillion.transaction(session):
            session.execute(text("select 1"))
            here.Complete.perform_async(1)
            session.commit()
        assert checked_out == [0]


class TestSavepoints:
    def test_one_that_is_rolled_back_takes_its_jobs_along_and_no_others(self, here, session):
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            with contextlib.suppress(ZeroDivisionError), session.begin_nested():
                here.Complete.perform_async(2)
                raise ZeroDivisionError
            here.Complete.perform_async(3)
            session.commit()
        assert numbers(here.sent) == [1, 3]

    def test_one_that_is_released_waits_for_the_outer_commit(self, here, session):
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            with session.begin_nested():
                here.Complete.perform_async(2)
            assert here.sent.trips == []
            here.Complete.perform_async(3)
            session.commit()
        assert numbers(here.sent) == [1, 2, 3]

    def test_one_inside_of_another(self, here, session):
        with pillion.transaction(session):
            with session.begin_nested():
                here.Complete.perform_async(1)
                with session.begin_nested():
                    here.Complete.perform_async(2)
                with contextlib.suppress(ZeroDivisionError), session.begin_nested():
                    here.Complete.perform_async(3)
                    raise ZeroDivisionError
            with contextlib.suppress(ZeroDivisionError), session.begin_nested():
                with session.begin_nested():
                    here.Complete.perform_async(4)
                raise ZeroDivisionError
            session.commit()
        assert numbers(here.sent) == [1, 2]

    def test_a_released_one_is_lost_with_the_outer_transaction(self, here, session):
        with pillion.transaction(session):
            with session.begin_nested():
                here.Complete.perform_async(1)
            session.rollback()
        assert here.sent.trips == []

    def test_a_commit_takes_open_savepoints_along(self, here, session):
        with pillion.transaction(session):
            session.begin_nested()
            here.Complete.perform_async(1)
            session.begin_nested()
            here.Complete.perform_async(2)
            session.get_transaction().commit()
        assert numbers(here.sent) == [1, 2]


class TestHooks:
    def test_a_push_from_an_after_commit_hook_is_pushed_with_that_commit(self, here, session):
        def hook(session):
            here.Complete.perform_async(2)

        event.listen(session, "after_commit", hook)
        with pillion.transaction(session):
            session.add(Order(id=1))
            session.commit()
            assert numbers(here.sent) == [2]
            here.Complete.perform_async(1)
            session.commit()
        assert numbers(here.sent) == [2, 1, 2]

    def test_a_push_from_a_flush_waits(self, here, session):
        @event.listens_for(session, "after_flush")
        def hook(session, context):
            here.Complete.perform_async(1)

        with pillion.transaction(session):
            session.add(Order(id=1))
            session.flush()
            assert here.sent.trips == []
            session.commit()
        assert numbers(here.sent) == [1]

    def test_a_push_from_a_flush_in_a_savepoint_that_is_rolled_back_is_dropped(self, here, session):
        event.listen(session, "after_flush", lambda session, context: here.Complete.perform_async(1))
        with pillion.transaction(session):
            with contextlib.suppress(ZeroDivisionError), session.begin_nested():
                session.add(Order(id=1))
                session.flush()
                raise ZeroDivisionError
            session.commit()
        assert here.sent.trips == []


class TestAPushThatFailsAfterTheCommit:
    def test_the_error_comes_out_of_the_commit_the_data_are_there_and_the_session_goes_on(self, here, engine, session):
        here.sent.run_all, right = lambda ops: (_ for _ in ()).throw(RedisError("down")), here.sent.run_all
        with pillion.transaction(session):
            with pytest.raises(RedisError, match="down"), session.begin():
                session.add(Order(id=1))
                here.Complete.perform_async(1)
            here.sent.run_all = right
            assert session.get(Order, 1) is not None
            session.commit()
            here.Complete.perform_async(2)
            session.commit()
        assert numbers(here.sent) == [2]
        assert engine.pool.checkedout() == 0


class TestSessionsOfOthers:
    def test_a_session_does_not_push_what_waits_for_another(self, here, engine, session):
        with Session(engine) as other:
            with pillion.transaction(session):
                here.Complete.perform_async(1)
            with pillion.transaction(other):
                here.Complete.perform_async(2)
            other.commit()
            assert numbers(here.sent) == [2]
        session.commit()
        assert numbers(here.sent) == [2, 1]

    def test_in_blocks_of_two_sessions_a_push_waits_for_both(self, here, engine, session):
        with Session(engine) as other, pillion.transaction(session), pillion.transaction(other):
            here.Complete.perform_async(1)
            other.commit()
            assert here.sent.trips == []
            session.commit()
        assert numbers(here.sent) == [1]

    def test_another_thread_is_not_in_the_block(self, here, session):
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            thread = threading.Thread(target=here.Complete.perform_async, args=(2,))
            thread.start()
            thread.join()
        assert numbers(here.sent) == [2]

    def test_each_thread_has_its_own(self, here, engine):
        both_have_pushed = threading.Barrier(2)

        def work(number, end):
            with Session(engine) as session, pillion.transaction(session):
                here.Complete.perform_async(number)
                both_have_pushed.wait()
                end(session)

        threads = [threading.Thread(target=work, args=pair) for pair in ((1, Session.commit), (2, Session.rollback))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert numbers(here.sent) == [1]

    def test_a_thread_that_the_block_hands_its_work_to_is_in_it(self, here, session):
        async def main():
            with pillion.transaction(session):
                await asyncio.to_thread(here.Complete.perform_async, 1)
                assert here.sent.trips == []
                session.commit()

        asyncio.run(main())
        assert numbers(here.sent) == [1]

    def test_nothing_keeps_a_session_alive(self, here, engine):
        session = Session(engine)
        with pillion.transaction(session):
            here.Complete.perform_async(1)
            session.commit()
        session.close()
        gone = weakref.ref(session)
        del session
        gc.collect()
        assert gone() is None


class TestKindsOfSessions:
    def test_a_scoped_session(self, here, engine):
        scoped = scoped_session(sessionmaker(engine))
        with pillion.transaction(scoped):
            scoped.add(Order(id=1))
            here.Complete.perform_async(1)
            scoped.commit()
        assert numbers(here.sent) == [1]
        scoped.remove()

    def test_a_session_in_autocommit_mode_pushes_at_its_commit(self, here, engine):
        with Session(engine.execution_options(isolation_level="AUTOCOMMIT")) as session, pillion.transaction(session):
            session.add(Order(id=1))
            session.flush()
            here.Complete.perform_async(1)
            assert here.sent.trips == []
            session.commit()
        assert numbers(here.sent) == [1]

    def test_a_session_without_autobegin(self, here, engine):
        with Session(engine, autobegin=False) as session, session.begin(), pillion.transaction(session):
            here.Complete.perform_async(1)
        assert numbers(here.sent) == [1]

    def test_a_session_inside_of_a_transaction_of_a_test(self, here, engine):
        """The recipe of SQLAlchemy for test suites: what the session commits is rolled back at the end of the test."""
        with engine.connect() as connection, connection.begin() as outer:
            with Session(connection, join_transaction_mode="create_savepoint") as session, pillion.transaction(session):
                here.Complete.perform_async(1)
                session.commit()
                here.Complete.perform_async(2)
                session.rollback()
            outer.rollback()
        assert numbers(here.sent) == [1]

    @pytest.mark.parametrize("what", ["engine", "maker", "connection"])
    def test_what_is_nearly_a_session_is_refused(self, engine, what):
        with engine.connect() as connection:
            target = {"engine": engine, "maker": sessionmaker(engine), "connection": connection}[what]
            with pytest.raises(ConfigError, match="expected a Session or AsyncSession"):
                pillion.transaction(target)

    def test_what_is_nothing_of_the_kind_is_refused(self):
        with pytest.raises(ConfigError, match="a SQLAlchemy session or the alias of a Django database, got 42"):
            pillion.transaction(42)


def test_a_statement_that_cannot_be_run_leaves_the_jobs_to_the_rollback(here, session):
    with pillion.transaction(session):
        here.Complete.perform_async(1)
        with pytest.raises(StatementError):
            session.execute(text("select nothing from nowhere"))
        session.rollback()
    assert here.sent.trips == []
