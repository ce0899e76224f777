"""The outbox on Postgres: relays that share the work, and one that is killed between the commit and the push."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session
from worker_process import wait_until

from pillion import Job, default, outbox
from pillion.client import Client
from pillion.config import Config, RedisConfig


@pytest.fixture
def engine(postgres):
    engine = create_engine(postgres.url("psycopg"))
    outbox.metadata.create_all(engine)
    yield engine
    outbox.metadata.drop_all(engine)
    engine.dispose()


@pytest.fixture
def Note(redis_url):
    default.reset()
    default.install(Config(redis=RedisConfig(url=redis_url)))

    class Note(Job):
        def perform(self, number: int) -> None: ...

    yield Note
    default.reset()


def numbers(raw):
    return sorted(json.loads(each)["args"][0] for each in raw.lrange("queue:default", 0, -1))


def left(engine):
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(outbox.table))


def test_relays_share_the_work_and_push_nothing_twice(engine, storage, raw, Note):
    def empty():
        relay = outbox.Relay(engine, Client(storage, Config()), batch_size=7)
        while left(engine):
            relay.move()

    with Session(engine) as session, session.begin():
        for number in range(200):
            outbox.enqueue(session, Note, [number])
    threads = [threading.Thread(target=empty) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(raw) == list(range(200))


def test_a_relay_does_not_wait_for_rows_that_another_one_has(engine, storage, raw, Note):
    for number in range(2):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Note, [number])
    with engine.begin() as other:
        other.execute(select(outbox.table.c.id).order_by(outbox.table.c.id).limit(1).with_for_update())
        assert outbox.Relay(engine, Client(storage, Config())).move() == 1
    assert numbers(raw) == [1]


def test_what_is_not_committed_yet_is_pushed_later_though_its_number_is_lower(engine, storage, raw, Note):
    relay = outbox.Relay(engine, Client(storage, Config()))
    with Session(engine) as slow, Session(engine) as fast:
        outbox.enqueue(slow, Note, [1])
        slow.flush()
        outbox.enqueue(fast, Note, [2])
        fast.commit()
        relay.move()
        assert numbers(raw) == [2]
        slow.commit()
    relay.move()
    assert numbers(raw) == [1, 2]


@pytest.fixture
def start_relay(postgres, tmp_path):
    """start_relay(redis_url, *arguments) starts `pillion outbox`, whose log is `log_path`; killed at the end."""
    started = []

    def start(redis_url, *args):
        log_path = tmp_path / f"relay-{len(started)}.log"
        environ = {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": postgres.url("psycopg")}
        with log_path.open("w") as log:
            relay = subprocess.Popen(
                [sys.executable, "-m", "pillion", "outbox", "--poll", "0.02", *args],
                env=environ,
                stdout=log,
                stderr=log,
            )
        relay.log_path = log_path
        started.append(relay)
        return relay

    yield start
    for relay in started:
        relay.kill()
        relay.wait()


def wait_for_the_start(relay):
    wait_until(lambda: "is being watched" in relay.log_path.read_text(), "its start", relay.log_path.read_text)


def test_a_relay_that_is_killed_between_commit_and_push_loses_nothing(engine, start_relay, own_redis, Note):
    relay = start_relay(own_redis.url)
    wait_for_the_start(relay)
    own_redis.pause()
    with Session(engine) as session, session.begin():
        jid = outbox.enqueue(session, Note, [1])

    def has_taken_the_row():
        with engine.begin() as connection:
            query = select(outbox.table.c.id).with_for_update(skip_locked=True)
            return connection.execute(query).first() is None

    wait_until(has_taken_the_row, "the relay to take the row")
    relay.kill()
    relay.wait()
    own_redis.kill()  # with what it had not read yet
    own_redis.start()
    wait_until(lambda: not has_taken_the_row(), "Postgres to see that the relay is gone")
    second = start_relay(own_redis.url, "--once")
    assert second.wait() == 0
    assert second.log_path.read_text() == "1 jobs pushed.\n"
    with own_redis.client() as raw:
        assert [json.loads(each)["jid"] for each in raw.lrange("queue:default", 0, -1)] == [jid]
    assert left(engine) == 0


def test_a_relay_process_outlives_an_outage_of_the_database_and_ends_at_sigterm(
    engine, start_relay, redis_url, raw, Note
):
    relay = start_relay(redis_url)
    wait_for_the_start(relay)
    with Session(engine) as session, session.begin():
        outbox.enqueue(session, Note, [1])
    wait_until(lambda: left(engine) == 0, "the end of the row", relay.log_path.read_text)  # else it may go twice
    assert numbers(raw) == [1]
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'tests'"
    with engine.begin() as connection:  # an outage of the database: the connections of everybody else are cut
        connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
    engine.dispose()
    with Session(engine) as session, session.begin():
        outbox.enqueue(session, Note, [2])
    wait_until(lambda: numbers(raw) == [1, 2], "the next job in Redis", relay.log_path.read_text)
    relay.terminate()
    assert relay.wait() == 0, relay.log_path.read_text()


def test_intents_are_removed_by_their_age(engine, storage):
    relay = outbox.Relay(engine, Client(storage, Config()), keep_intents_s=86_400)
    with Session(engine) as session, session.begin():
        session.add(outbox.Entry("new", None))
        session.add(outbox.Entry("old", None, datetime.now(UTC) - timedelta(days=1, minutes=1)))
    assert (relay.forget_intents(), relay.forget_intents(), left(engine)) == (1, 0, 1)
