"""How the engine of one process ends: nothing lost, nothing doubled, nothing left behind."""

import threading
import time

import pytest
from engine import Engine, payload, until


@pytest.fixture
def engine(storage):
    engine = Engine(storage)
    yield engine
    engine.stop(0.0)


def test_quiet_hands_back_what_is_buffered_and_lets_running_jobs_end(engine, raw):
    entered, leave, ended = threading.Event(), threading.Event(), threading.Event()
    engine.config.concurrency = 1
    engine.job("Fast", lambda: None)
    engine.job("Slow", lambda: (entered.set(), leave.wait(20), ended.set()))
    raw.lpush("queue:default", *[payload("Fast")] * 500, payload("Slow"), *[payload("Fast")] * 50)
    engine.start()
    assert entered.wait(10)
    engine.manager.quiet()
    until(lambda: raw.llen("queue:default") == 50)
    assert raw.hlen(engine.inflight()) == 1
    leave.set()
    assert ended.wait(10)
    engine.stop()
    assert not raw.exists(engine.inflight())
    assert raw.get("stat:processed") == b"501"


def test_quiet_twice_is_harmless(engine):
    engine.start()
    engine.manager.quiet()
    engine.manager.quiet()


def test_a_stopped_engine_leaves_no_key_of_its_own(engine, raw):
    engine.job("Fast", lambda: None)
    raw.lpush("queue:default", *[payload("Fast")] * 100)
    engine.start()
    until(lambda: raw.get("stat:processed") == b"100")
    engine.stop()
    assert [key for key in raw.keys("*") if engine.identity.encode() in key] == []


def test_stop_before_start_and_stop_twice(engine):
    engine.start()
    engine.stop()
    engine.stop()


def test_at_the_deadline_the_job_is_back_at_the_head_of_its_queue_unchanged(engine, raw, caplog):
    entered, leave = threading.Event(), threading.Event()
    body = payload("Stuck", enqueued_at=1795300027713, custom=1.0)
    engine.config.concurrency = 1
    engine.job("Stuck", lambda: (entered.set(), leave.wait(30)))
    raw.lpush("queue:default", body, payload("Next"))
    engine.start()
    assert entered.wait(10)
    engine.stop(within_s=0.05)
    assert raw.lrange("queue:default", 0, -1)[::-1] == [body, payload("Next")]
    assert not raw.exists(engine.inflight())
    assert raw.exists("retry") == 0
    assert raw.get("stat:processed") is None
    assert "handing back 1 unfinished jobs: Stuck c9f6793beefe481e912ac3a7" in caplog.text
    leave.set()


def test_an_interrupted_job_that_ends_late_changes_nothing_any_more(engine, raw):
    """Its outcome is settled against a lease that is gone."""
    entered, leave, ended = threading.Event(), threading.Event(), threading.Event()

    def perform():
        entered.set()
        try:
            leave.wait(30)
        finally:
            ended.set()

    engine.config.concurrency = 1
    engine.job("Stuck", perform)
    raw.lpush("queue:default", payload("Stuck"))
    engine.start()
    assert entered.wait(10)
    engine.stop(within_s=0.05)
    leave.set()
    assert ended.wait(10)
    assert raw.lrange("queue:default", 0, -1) == [payload("Stuck")]
    assert raw.exists("retry", "stat:failed") == 0


def test_a_job_that_runs_python_gets_shutdown_at_the_deadline(engine, raw, caplog):
    caplog.set_level("INFO", logger="pillion")
    from pillion.errors import Shutdown

    entered, seen = threading.Event(), []

    def perform():
        entered.set()
        try:
            while True:
                time.sleep(0)
        except Shutdown:
            seen.append("cleaned up")
            raise

    engine.job("Loop", perform)
    raw.lpush("queue:default", payload("Loop"))
    engine.start()
    assert entered.wait(10)
    engine.stop(within_s=0.05)
    assert seen == ["cleaned up"]
    assert [record.message for record in caplog.records if record.message in ("start", "done", "fail")] == ["start"]
    assert raw.lrange("queue:default", 0, -1) == [payload("Loop")]


def test_a_job_that_turns_shutdown_into_its_own_error_is_not_retried(engine, raw):
    entered = threading.Event()

    def perform():
        entered.set()
        try:
            while True:
                time.sleep(0)
        except BaseException as exc:
            raise ValueError("gave up") from exc

    engine.job("Loop", perform)
    raw.lpush("queue:default", payload("Loop"))
    engine.start()
    assert entered.wait(10)
    engine.stop(within_s=0.05)
    assert raw.exists("retry", "stat:failed") == 0
    assert raw.lrange("queue:default", 0, -1) == [payload("Loop")]


@pytest.mark.parametrize("queues", [["default"], ["high", "default", "low"]])
def test_a_job_pushed_after_quiet_stays_in_its_queue_for_others(engine, raw, queues):
    ran = []
    engine.config.queues = queues
    engine.job("Note", lambda: ran.append(1))
    engine.start()
    until(lambda: raw.info("clients")["blocked_clients"] == len(queues))
    engine.manager.quiet()
    until(lambda: raw.info("clients")["blocked_clients"] == 0)
    for queue in queues:
        raw.lpush(f"queue:{queue}", payload("Note"))
    engine.stop()
    assert [raw.lrange(f"queue:{queue}", 0, -1) for queue in queues] == [[payload("Note")]] * len(queues)
    assert ran == []


def test_a_job_that_ends_in_quiet_is_acknowledged_while_another_still_runs(engine, raw):
    leave = [threading.Event(), threading.Event()]
    engine.config.concurrency = 2
    engine.job("Slow", lambda n: leave[n].wait(30))
    engine.start()
    raw.lpush("queue:default", payload("Slow", 0), payload("Slow", 1))
    until(lambda: engine.manager.busy() == 2)
    engine.manager.quiet()
    leave[0].set()
    until(lambda: raw.hlen(engine.inflight()) == 1 and raw.get("stat:processed") == b"1")
    leave[1].set()


def test_what_a_broken_exchange_left_behind_goes_back_although_nobody_fetches_any_more(engine, raw):
    leave = threading.Event()
    engine.job("Slow", lambda: leave.wait(30))
    engine.start()
    raw.lpush("queue:default", payload("Slow"))
    until(lambda: engine.manager.busy() == 1)
    engine.manager.quiet()
    until(lambda: not engine.manager._fetcher._hungry)
    raw.hset(engine.inflight(), "999999", b"a reply that was lost")
    raw.lpush(engine.waiting(), b"a move whose reply was lost")
    engine.manager.audit()
    assert set(raw.lrange("queue:default", 0, -1)) == {b"a reply that was lost", b"a move whose reply was lost"}
    leave.set()
