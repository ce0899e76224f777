"""A job with `requires_intent` in a real worker, which is faster than the commit, or waits for one that never comes."""

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session
from worker_process import wait_until

from pillion import Job, default, outbox
from pillion.config import Config, RedisConfig

APP = """+
from sqlalchemy import create_engine
from pillion import outbox

outbox.require_intents(create_engine("sqlite:///shop.db"), wait_s={wait_s}, look_every_s=0.2)

class Ship(Job, requires_intent=True):
    def perform(self, number): note("shipped", number)
"""


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}", connect_args={"timeout": 60})
    outbox.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def Ship(redis_url):
    default.reset()
    default.install(Config(redis=RedisConfig(url=redis_url)))

    class Ship(Job, wire_name="app.Ship", requires_intent=True):
        def perform(self, number: int) -> None: ...

    yield Ship
    default.reset()


def rows(engine):
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(outbox.table))


def test_a_job_that_comes_before_its_commit_runs_after_it_once(pillion_run, ledger, raw, engine, Ship):
    run = pillion_run(app=APP.format(wait_s=3600)).wait_ready()
    with Session(engine) as session:
        outbox.enqueue(session, Ship, [7])
        wait_until(lambda: raw.zcard("schedule") == 1, "the job to be put off")
        assert ledger.lines == []
        session.commit()
    ledger.wait_for("shipped 7")
    wait_until(lambda: rows(engine) == 0, "the end of the intent")
    assert (run.stop(), ledger.count("shipped 7")) == (0, 1)


def test_a_job_whose_transaction_was_rolled_back_is_discarded(pillion_run, ledger, raw, engine, Ship):
    run = pillion_run(app=APP.format(wait_s=1)).wait_ready()
    with Session(engine) as session:
        jid = outbox.enqueue(session, Ship, [7])
        session.rollback()
    run.wait_log(f"Discarded app.Ship {jid}: its intent was not committed within 1 s")
    assert run.stop() == 0
    assert (ledger.lines, [raw.zcard(key) for key in ("schedule", "retry", "dead")]) == ([], [0, 0, 0])
