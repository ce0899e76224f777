"""The engine around in-job helpers: a job that postpones itself, and async jobs that see nothing of the one before."""

import json
import logging
import threading
import time
from contextvars import ContextVar

import pytest
from engine import Engine, payload, until

from pillion import log
from pillion.errors import Interrupted, Postponed
from pillion.middleware import LogArguments

VAR = ContextVar("VAR", default="unset")


@pytest.fixture
def engine(storage):
    engine = Engine(storage)
    yield engine
    engine.stop()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_postponed_job_waits_in_the_schedule_and_no_retry_is_spent(engine, raw, is_async):
    def later(number):
        raise Postponed(300)

    async def later_async(number):
        raise Postponed(300)

    engine.job("Later", later_async if is_async else later, is_async=is_async)
    job = payload("Later", 2**70, custom="kept", enqueued_at=5)
    engine.config.server_middleware.add(lambda job, payload, queue, next_: (payload.update(custom=object()), next_()))
    raw.lpush("queue:default", job)
    engine.start()
    until(lambda: raw.zcard("schedule") == 1)
    ((stored, at_s),) = raw.zrange("schedule", 0, 0, withscores=True)
    expected = json.loads(job)
    del expected["enqueued_at"]
    assert json.loads(stored) == expected
    assert 290 < at_s - time.time() <= 300
    until(lambda: raw.get("stat:processed") == b"1")
    assert (raw.get("stat:failed"), raw.exists("retry"), engine.reports) == (None, 0, [])
    assert not raw.exists(engine.inflight())


@pytest.mark.parametrize(
    ("wish", "line"),
    [(Postponed(300, "closed"), ("postponed", "closed")), (Interrupted("halfway"), ("interrupted", "halfway"))],
)
def test_a_job_that_comes_again_logs_so_and_no_failure(engine, raw, caplog, wish, line):
    def later():
        raise wish if not raw.getset("once", 1) else Postponed(600)

    caplog.set_level("INFO", "pillion")
    engine.job("Later", later)
    raw.lpush("queue:default", payload("Later"))
    engine.start()
    until(lambda: raw.zcard("schedule") == 1)
    logged = [(record.message, record.pillion.get("why")) for record in caplog.records if hasattr(record, "pillion")]
    assert logged[:2] == [("start", None), line]
    assert "fail" not in [message for message, _ in logged]


def test_a_postponed_job_without_a_queue_comes_back_to_the_one_it_was_taken_from(engine, raw):
    def later():
        raise Postponed(300)

    engine.job("Later", later)
    raw.lpush("queue:default", b'{"class":"Later","args":[],"jid":"1"}')
    engine.start()
    until(lambda: raw.zcard("schedule") == 1)
    assert json.loads(raw.zrange("schedule", 0, 0)[0])["queue"] == "default"


@pytest.mark.parametrize("delay_s", [float("nan"), float("inf"), -float("inf")])
def test_a_delay_that_never_ends_is_an_error_of_the_job(engine, raw, delay_s):
    """Redis refuses nan for as long as the process lives, and keeps what is due at infinity for ever."""

    def later():
        raise Postponed(delay_s)

    engine.job("Later", later)
    raw.lpush("queue:default", payload("Later"))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert not raw.exists("schedule", engine.inflight())


def test_each_async_job_sees_its_own_facts_and_none_of_the_variables_of_the_one_before(engine, raw):
    seen, done = [], threading.Event()

    async def look(number):
        seen.append((number, log.context()["args"], VAR.get()))
        VAR.set(f"left by {number}")
        if number == 3:
            done.set()

    engine.config.concurrency = 1
    engine.job("Look", look, is_async=True)
    raw.lpush("queue:default", *[payload("Look", number) for number in (1, 2, 3)])
    engine.start()
    assert done.wait(10)
    assert seen == [(1, [1], "unset"), (2, [2], "unset"), (3, [3], "unset")]


@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_job_adds_to_its_lines_is_in_the_line_done(engine, raw, caplog, is_async):
    def add(number):
        log.add_context(order=number)

    async def add_async(number):
        log.add_context(order=number)

    lines = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append((record.getMessage(), log.context().get("order"), log.context().get("arguments")))

    keep, logger = Keep(), logging.getLogger("pillion")
    logger.addHandler(keep)
    logger.setLevel(logging.INFO)
    try:
        engine.config.concurrency = 1
        engine.config.server_middleware.add(LogArguments())
        engine.job("Add", add_async if is_async else add, is_async=is_async)
        raw.lpush("queue:default", payload("Add", 1), payload("Add", 2))
        engine.start()
        until(lambda: raw.get("stat:processed") == b"2")
    finally:
        logger.removeHandler(keep)
        logger.setLevel(logging.NOTSET)
    assert [line for line in lines if line[0] in ("start", "done")] == [
        ("start", None, None),
        ("done", 1, "1"),
        ("start", None, None),
        ("done", 2, "2"),
    ]
