"""The outbox on a real SQLite and a real Redis: what is enqueued, what the relay moves, which intents let jobs run."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from engine import Engine, until
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import pillion
from pillion import Job, default, outbox
from pillion.client import Client
from pillion.config import Config, QueueLimit, RedisConfig
from pillion.errors import ComplexArgument, ConfigError, JobArgumentError, RedisUnavailable
from pillion.storage.connect import open_storage

DAY_S = 86_400


@pytest.fixture(autouse=True)
def installed(redis_url):
    default.reset()
    default.install(Config(redis=RedisConfig(url=redis_url)))
    yield
    default.reset()


@pytest.fixture
def database(tmp_path):
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def engine(database):
    engine = create_engine(database, connect_args={"timeout": 60})
    outbox.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def relay(engine, storage):
    return outbox.Relay(engine, Client(storage, Config()))


@pytest.fixture
def ran():
    return []


@pytest.fixture
def Note(ran):
    class Note(Job):
        def perform(self, text: str) -> None:
            ran.append(text)

    return Note


@pytest.fixture
def Meant(ran):
    class Meant(Job, requires_intent=True):
        def perform(self, text: str) -> None:
            ran.append(text)
            if text == "fail":
                raise RuntimeError(text)

    return Meant


def rows(engine):
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(outbox.table))


def waiting(raw, queue="default"):
    return [json.loads(each) for each in reversed(raw.lrange(f"queue:{queue}", 0, -1))]


class TestTheRelay:
    def test_a_committed_job_is_pushed_once_and_its_row_is_gone(self, engine, relay, raw, Note):
        with Session(engine) as session, session.begin():
            jid = outbox.enqueue(session, Note, ["a"])
        assert waiting(raw) == []
        assert (relay.move(), relay.move(), rows(engine)) == (1, 0, 0)
        assert [(each["jid"], each["args"]) for each in waiting(raw)] == [(jid, ["a"])]

    def test_a_job_that_was_rolled_back_is_not_pushed(self, engine, relay, raw, Note):
        with Session(engine) as session:
            outbox.enqueue(session, Note, ["a"])
            session.rollback()
        assert (relay.move(), waiting(raw)) == (0, [])

    def test_an_async_session_takes_jobs_too(self, engine, database, relay, raw, Note):
        async def main():
            own = create_async_engine(database.replace("sqlite:", "sqlite+aiosqlite:"))
            async with AsyncSession(own) as session, session.begin():
                outbox.enqueue(session, Note, ["a"])
            await own.dispose()

        asyncio.run(main())
        relay.move()
        assert [each["args"] for each in waiting(raw)] == [["a"]]

    def test_options_time_and_order(self, engine, relay, raw, Note):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Note, ["a"], queue="low")
            outbox.enqueue(session, Note.set(queue="low"), ["b"])
            outbox.enqueue(session, Note.set(wait=60), ["c"])
            outbox.enqueue(session, Note, ["d"], wait=60)
            outbox.enqueue(session, Note, ["e"], at=4_000_000_000)
        relay.move()
        assert [each["args"] for each in waiting(raw, "low")] == [["a"], ["b"]]
        assert [json.loads(each)["args"] for each in raw.zrange("schedule", 0, -1)] == [["c"], ["d"], ["e"]]

    @pytest.mark.parametrize("option", [{"countdown": 60}, {"retry": "often"}, {"tags": "billing"}])
    def test_options_are_checked_as_those_of_set(self, engine, Note, option):
        with Session(engine) as session, session.begin(), pytest.raises(ConfigError):
            outbox.enqueue(session, Note, ["a"], **option)
        assert rows(engine) == 0

    @pytest.mark.parametrize(("args", "error"), [([], JobArgumentError), ([{1}], ComplexArgument)])
    def test_a_wrong_job_is_refused_and_nothing_written(self, engine, Note, args, error):
        with Session(engine) as session, session.begin(), pytest.raises(error):
            outbox.enqueue(session, Note, args)
        assert rows(engine) == 0

    def test_what_is_no_session_and_what_is_no_job(self, engine, Note):
        with pytest.raises(ConfigError, match="session: expected a Session or AsyncSession"):
            outbox.enqueue(engine, Note, ["a"])
        with Session(engine) as session, pytest.raises(ConfigError, match="job: expected a job"):
            outbox.enqueue(session, "Note", ["a"])

    @pytest.mark.parametrize("text", ['{"class": "No', "[]", '{"class": "Note", "args": []}', "", "\x00"])
    def test_a_row_that_is_no_job_stays_and_holds_nobody_up(self, engine, storage, raw, Note, caplog, text):
        relay = outbox.Relay(engine, Client(storage, Config()), batch_size=1)
        with Session(engine) as session, session.begin():
            session.add(outbox.Entry("broken", text))
            session.flush()
            outbox.enqueue(session, Note, ["a"])
        assert (relay.move(), relay.move(), rows(engine)) == (1, 0, 1)
        assert [each["args"] for each in waiting(raw)] == [["a"]]
        assert caplog.text.count("Row 1 of pillion_outbox is no job, and is left there") == 1

    def test_while_redis_is_away_jobs_stay_where_they_are(self, engine, own_redis, Note):
        config = Config(redis=RedisConfig(url=own_redis.url))
        storage = open_storage(config)
        relay = outbox.Relay(engine, Client(storage, config))
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Note, ["a"])
        own_redis.kill()
        with pytest.raises(RedisUnavailable):
            relay.move()
        assert rows(engine) == 1
        own_redis.start()
        assert relay.move() == 1
        with own_redis.client() as raw:
            assert len(waiting(raw)) == 1
        storage.close()

    def test_it_runs_until_it_is_stopped_and_outlives_outages(self, engine, relay, raw, Note, caplog):
        refused = threading.Event()

        def refuse(payloads, storage):
            del relay._client.push_prepared
            refused.set()
            raise RedisUnavailable("away")

        relay._client.push_prepared = refuse
        stop = threading.Event()
        thread = threading.Thread(target=relay.run, args=(stop, 0.01))
        thread.start()
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Note, ["a"])
        until(lambda: waiting(raw))
        stop.set()
        thread.join()
        assert refused.is_set()
        assert "The outbox waits 0 s, as RedisUnavailable: away" in caplog.text

    def test_two_relays_push_nothing_twice(self, engine, storage, raw, Note):
        with Session(engine) as session, session.begin():
            for number in range(100):
                outbox.enqueue(session, Note, [str(number)])
        relays = [outbox.Relay(engine, Client(storage, Config()), batch_size=7) for _ in range(2)]

        def empty(relay):
            while relay.move():
                pass

        threads = [threading.Thread(target=empty, args=(relay,)) for relay in relays]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(int(each["args"][0]) for each in waiting(raw)) == list(range(100))


class TestTheCommand:
    def run(self, *args, url):
        command = [sys.executable, "-m", "pillion", "outbox", *args]
        environ = {**os.environ, "REDIS_URL": url}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environ)

    def test_once(self, engine, database, redis_url, raw, Note):
        default.config().queue_limits = {"default": QueueLimit(max_size=1)}
        with Session(engine) as session, session.begin():
            for text in "abc":
                outbox.enqueue(session, Note, [text])
            session.add(outbox.Entry("old", None, datetime.now(UTC) - timedelta(days=40)))
            session.add(outbox.Entry("new", None))
        done = self.run(database, "--once", "--keep-intents", "30", url=redis_url)
        assert (done.returncode, done.stdout) == (0, "3 jobs pushed.\n"), done.stderr
        with Session(engine) as session:
            assert session.scalars(select(outbox.table.c.jid)).all() == ["new"]
        assert [each["args"] for each in waiting(raw)] == [["a"], ["b"], ["c"]]

    def test_a_url_that_is_none_is_not_shown(self, redis_url):
        done = self.run("secret@nowhere", url=redis_url)
        assert done.returncode == 1
        assert "secret" not in done.stderr
        assert "DATABASE_URL: expected a URL as SQLAlchemy has them" in done.stderr


@pytest.fixture
def worker(storage, engine):
    worker = Engine(storage, concurrency=1)
    worker.registry = default.registry()
    yield worker
    worker.stop()


class TestIntents:
    def require(self, worker, engine, **options):
        outbox.require_intents(engine, config=worker.config, **options)
        worker.start()

    def test_a_committed_intent_lets_the_job_run_and_is_deleted(self, engine, worker, ran, Meant, Note):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["a"])
        self.require(worker, engine)
        until(lambda: ran == ["a"] and rows(engine) == 0)
        Note.perform_async("b")
        until(lambda: ran == ["a", "b"])

    def test_a_job_without_its_intent_is_discarded_with_a_line(self, engine, worker, ran, Meant, raw, caplog):
        self.require(worker, engine, wait_s=0.0)
        with caplog.at_level(logging.WARNING, "pillion"), Session(engine) as session:
            jid = outbox.enqueue(session, Meant, ["a"])
            session.rollback()
            until(lambda: f"{jid}: its intent was not committed within" in caplog.text)
        worker.stop()
        assert ran == []
        assert [raw.zcard(key) for key in ("retry", "dead", "schedule")] == [0, 0, 0]

    def test_a_job_that_is_faster_than_its_commit_is_postponed(self, engine, worker, ran, Meant, raw):
        self.require(worker, engine, look_every_s=0.01, wait_s=3600)
        with Session(engine) as session:
            outbox.enqueue(session, Meant, ["a"])
            session.flush()
            until(lambda: raw.zcard("schedule") == 1)
            session.commit()
        (late,) = raw.zrange("schedule", 0, -1)
        raw.delete("schedule")
        raw.lpush("queue:default", late)
        until(lambda: ran == ["a"] and rows(engine) == 0)

    def test_a_job_that_fails_keeps_its_intent_for_the_retry(self, engine, worker, ran, Meant, raw):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["fail"])
        self.require(worker, engine)
        until(lambda: raw.zcard("retry") == 1)
        assert rows(engine) == 1

    def test_the_relay_leaves_intents_alone(self, engine, relay, Meant):
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["a"])
        assert (relay.move(), relay.forget_intents(), rows(engine)) == (0, 0, 1)

    def test_the_relay_removes_intents_when_their_jobs_must_be_gone(self, engine, storage, Meant, Note):
        now_s = time.time()
        relay = outbox.Relay(engine, Client(storage, Config()), keep_intents_s=100 * DAY_S, clock=lambda: now_s)
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["now"])
            outbox.enqueue(session, Meant, ["in fifty days"], at=now_s + 50 * DAY_S)
            outbox.enqueue(session, Meant, ["never"], at=1e15)
            session.add(outbox.Entry("broken", "no job, and no intent"))
        forgotten = []
        for days in (99, 101, 149, 151, 30_000):
            relay._clock = lambda days=days: now_s + days * DAY_S
            forgotten.append(relay.forget_intents())
        assert (forgotten, rows(engine)) == ([0, 1, 0, 1, 0], 2)

    def test_the_relay_keeps_intents_for_ever_if_told_so(self, engine, storage, Meant):
        relay = outbox.Relay(engine, Client(storage, Config()), keep_intents_s=None, clock=lambda: 10 * time.time())
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["a"])
        assert (relay.forget_intents(), rows(engine)) == (0, 1)

    def test_a_relay_that_runs_removes_them_too(self, engine, storage, Meant):
        relay = outbox.Relay(engine, Client(storage, Config()), clock=lambda: time.time() + 366 * DAY_S)
        with Session(engine) as session, session.begin():
            outbox.enqueue(session, Meant, ["a"])
        stop = threading.Event()
        thread = threading.Thread(target=relay.run, args=(stop, 0.01))
        thread.start()
        until(lambda: rows(engine) == 0)
        stop.set()
        thread.join()

    def test_for_the_config_of_the_process(self, engine):
        outbox.require_intents(engine)
        config = Config()
        default.run_server_blocks(config)
        assert len(config.server_middleware) == 1
        assert pillion.configure_server is default.configure_server
