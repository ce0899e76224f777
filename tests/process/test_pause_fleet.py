"""Paused queues and real worker processes: what a whole fleet still starts, and that no job is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
import redis
from engine import payload
from worker_process import Ledger, Run, wait_until

from pillion.storage.ops import pause
from pillion.storage.sync import Storage

Start = Callable[..., Run]

PROMISE_S = 1.0  # so long after `pause` has returned a job may still start

APP = """+
class Mail(Job):
    def perform(self, number):
        note("mail", number)
        time.sleep(0.003)

class Tick(Job):
    def perform(self, number): note("tick", number, os.getpid())
"""
ARGS = ("-q", "mail", "-q", "ticks", "-c", "4", "-t", "10")


def _fill(raw: redis.Redis, queue: str, job: str, count: int) -> None:
    jobs = [payload(f"app.{job}", number, queue=queue, jid=f"{queue}{number:020}") for number in range(count)]
    raw.lpush(f"queue:{queue}", *jobs)


def _lines(ledger: Ledger, word: str) -> list[str]:
    return [line for line in ledger.lines if line.startswith(f"{word} ")]


def _numbers(ledger: Ledger) -> list[int]:
    return [int(line.split()[1]) for line in _lines(ledger, "mail")]


def _no_job_in_hand(raw: redis.Redis) -> bool:
    return not list(raw.scan_iter("*:inflight:*")) and not list(raw.scan_iter("*:wait:*"))


@pytest.fixture
def two(pillion_run: Start) -> list[Run]:
    """Two processes on two queues."""
    return [pillion_run(*ARGS, app=APP).wait_ready() for _ in range(2)]


def test_no_process_starts_a_job_of_a_queue_that_was_paused_under_load(
    two: list[Run], storage: Storage, raw: redis.Redis, ledger: Ledger
) -> None:
    _fill(raw, "mail", "Mail", 20_000)
    wait_until(lambda: len(_lines(ledger, "mail")) > 500, "both at work")
    storage.run(pause.pause("mail"))
    time.sleep(PROMISE_S)  # the promise is about time: nothing says that no more will start
    before = _lines(ledger, "mail")
    _fill(raw, "ticks", "Tick", 3000)
    wait_until(lambda: len(_lines(ledger, "tick")) == 3000, "the jobs of the other queue")
    assert len({line.split()[2] for line in _lines(ledger, "tick")}) == 2  # both live
    assert _lines(ledger, "mail") == before
    wait_until(lambda: _no_job_in_hand(raw), "every job in its queue or done")
    assert raw.llen("queue:mail") == 20_000 - len(before)


def test_after_the_pause_every_job_runs_exactly_once(
    two: list[Run], storage: Storage, raw: redis.Redis, ledger: Ledger
) -> None:
    _fill(raw, "mail", "Mail", 4000)
    for already in (200, 900, 1800):
        wait_until(lambda already=already: len(_lines(ledger, "mail")) > already, "some of the jobs")
        storage.run(pause.pause("mail"))
        wait_until(lambda: _no_job_in_hand(raw), "every job in its queue or done")
        storage.run(pause.unpause("mail"))
    wait_until(lambda: raw.get("stat:processed") == b"4000", "all jobs", lambda: two[0].log)
    assert sorted(_numbers(ledger)) == list(range(4000))


def test_a_process_that_starts_while_a_queue_is_paused_runs_none_of_its_jobs(
    pillion_run: Start, storage: Storage, raw: redis.Redis, ledger: Ledger
) -> None:
    storage.run(pause.pause("mail"))
    _fill(raw, "mail", "Mail", 100)
    for start in range(3):
        run = pillion_run(*ARGS, app=APP).wait_ready()
        raw.lpush("queue:ticks", payload("app.Tick", start, queue="ticks"))
        wait_until(lambda start=start: len(_lines(ledger, "tick")) == start + 1, "the job of the other queue")
        assert run.stop() == 0
    assert _lines(ledger, "mail") == []
    assert raw.llen("queue:mail") == 100
    pillion_run(*ARGS, app=APP).wait_ready()
    storage.run(pause.unpause("mail"))
    wait_until(lambda: sorted(_numbers(ledger)) == list(range(100)), "all jobs")


def test_jobs_of_a_killed_process_wait_in_their_queue_while_it_is_paused(
    pillion_run: Start, storage: Storage, raw: redis.Redis, ledger: Ledger
) -> None:
    raw.lpush("queue:mail", payload("app.Hold", "a", queue="mail"))
    run = pillion_run(*ARGS, app=APP).wait_ready()
    ledger.wait_for("start a")
    storage.run(pause.pause("mail"))
    run.signal("KILL", run.workers[0])
    run.wait_ready(times=2)
    wait_until(lambda: raw.llen("queue:mail") == 1, "the job back in its queue", lambda: run.log)
    raw.lpush("queue:ticks", payload("app.Tick", 1, queue="ticks"))
    wait_until(lambda: _lines(ledger, "tick"), "the job of the other queue")
    assert ledger.count("start a") == 1
    ledger.open("a")
    storage.run(pause.unpause("mail"))
    ledger.wait_for("end a")


def test_kills_between_pauses_lose_no_job(two: list[Run], storage: Storage, raw: redis.Redis, ledger: Ledger) -> None:
    """The buffer, the private lists and the subscription are in use when the process dies."""
    _fill(raw, "mail", "Mail", 6000)
    for round_ in range(6):
        wait_until(lambda round_=round_: len(_lines(ledger, "mail")) > 300 * (round_ + 1), "some of the jobs")
        storage.run(pause.pause("mail") if round_ % 2 else pause.unpause("mail"))
        run = two[round_ % 2]
        ready = run.log.count(" ready: ")
        run.signal("KILL", run.workers[0])
        storage.run(pause.unpause("mail") if round_ % 2 else pause.pause("mail"))
        run.wait_ready(times=ready + 1)
        storage.run(pause.unpause("mail"))
    wait_until(lambda: not raw.exists("queue:mail") and _no_job_in_hand(raw), "all jobs", lambda: two[0].log)
    runs = Counter(_numbers(ledger))
    assert sorted(runs) == list(range(6000))
    assert raw.zcard("dead") == raw.zcard("retry") == 0
