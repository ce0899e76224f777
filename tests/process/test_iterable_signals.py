"""Iterable jobs in real worker processes: TERM again and again, TSTP, kill -9, cancelled from outside (F140)."""

from __future__ import annotations

import json

import pytest
from worker_process import wait_until

from pillion.api.fleet import Fleet
from pillion.api.iterations import Iterations
from pillion.config import Config

APP = """+
from pillion import IterableJob
from pillion.iterable import sequence

class March(IterableJob):
    '''Goes through `count` items, and waits at each whose number ends in 500 until the test opens its gate.'''
    def build_enumerator(self, count, *, cursor):
        return sequence(range(count), cursor)
    def each_iteration(self, n, count):
        note("item", n)
        if n % 1000 == 500:
            sign(n)
            wait_at(n)
    def on_start(self): note("on_start")
    def on_resume(self): note("on_resume", self.cursor)
    def on_stop(self): note("on_stop", self.cursor)
    def on_cancel(self): note("on_cancel")
    def on_complete(self): note("on_complete")

class Async(March):
    async def each_iteration(self, n, count):
        note("item", n)
        if n % 1000 == 500:
            import asyncio
            sign(n)
            while not is_open(n):
                await asyncio.sleep(0.01)

class Careful(March):
    flush_every_s = 0.0

class Prompt(March):
    check_cancelled_every_s = 0.0

class Stuck(March):
    def each_iteration(self, n, count):
        note("item", n)
        if n == 500 and not is_open(n):
            sign(n)
            while True:
                pass
"""


@pytest.fixture
def iterations(redis_url):
    fleet = Fleet(Config(redis=redis_url))
    yield Iterations(fleet=fleet)
    fleet.close()


def items(ledger):
    return [int(line.split()[1]) for line in ledger.lines if line.startswith("item ")]


def stop_at(run, ledger, number):
    """TERM while the job is at an item with a gate; then the gate opens and the process ends."""
    ledger.wait_for(f"start {number}")
    run.signal("TERM")
    run.wait_log("Stopping (TERM)")
    ledger.open(str(number))
    assert run.wait() == 0


@pytest.mark.drill
def test_term_again_and_again_over_ten_thousand_items(pillion_run, push, ledger, iterations, raw):
    stops = range(500, 10_000, 1000)
    jid = push("March", 10_000)
    cursors = []
    for number in stops:
        run = pillion_run("-c", "1", app=APP).wait_ready()
        stop_at(run, ledger, number)
        cursors.append(iterations.get(jid).cursor)
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    assert cursors == sorted(set(cursors)), "each stop is further on"
    assert all(cursor > number for cursor, number in zip(cursors, stops, strict=True)), "the item at hand was finished"
    assert items(ledger) == list(range(10_000)), "each item once, in order: a clean stop repeats nothing"
    resumed = [int(line.split()[1]) for line in ledger.lines if line.startswith("on_resume")]
    assert resumed == cursors
    assert ledger.count("on_start") == ledger.count("on_complete") == 1
    wait_until(lambda: not raw.exists(f"it-{jid}"), "the state to be gone")
    assert raw.get("stat:failed") is None
    assert raw.zcard("retry") == 0


def test_a_quiet_process_hands_the_job_to_another(pillion_run, push, ledger, raw):
    jid = push("March", 1000)
    first = pillion_run("-c", "1", app=APP).wait_ready()
    ledger.wait_for("start 500")
    first.signal("TSTP")
    first.wait_log("Quiet (TSTP)")
    ledger.open("500")
    wait_until(lambda: raw.llen("queue:default"), "the job to be back in its queue")
    assert json.loads(raw.lindex("queue:default", 0))["jid"] == jid
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    assert items(ledger) == list(range(1000))


def test_async_items_are_stopped_between_two(pillion_run, push, ledger):
    push("Async", 1000)
    stop_at(pillion_run("-c", "1", app=APP).wait_ready(), ledger, 500)
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    assert items(ledger) == list(range(1000))


def test_a_killed_process_repeats_what_came_after_the_last_flush(pillion_run, push, ledger, iterations):
    jid = push("Careful", 1000)
    run = pillion_run("-c", "1", app=APP).wait_ready()
    ledger.wait_for("start 500")
    assert iterations.get(jid).cursor == 500
    run.destroy()
    ledger.open("500")
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    assert items(ledger) == [*range(501), *range(500, 1000)]


def test_a_killed_process_that_had_not_flushed_begins_anew_and_skips_nothing(pillion_run, push, ledger):
    push("March", 1000)
    run = pillion_run("-c", "1", app=APP).wait_ready()
    ledger.wait_for("start 500")
    run.destroy()
    ledger.open("500")
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    again = items(ledger)[501:]
    assert again == list(range(again[0], 1000))
    assert again[0] <= 500


def test_past_the_deadline_only_the_item_at_hand_is_repeated(pillion_run, push, ledger, raw):
    push("Stuck", 1000)
    run = pillion_run("-c", "1", "-t", "1", app=APP).wait_ready()
    ledger.wait_for("start 500")
    run.signal("TERM")
    assert run.wait() == 0
    ledger.open("500")
    pillion_run("-c", "1").wait_ready()
    ledger.wait_for("on_complete")
    assert items(ledger) == [*range(501), *range(500, 1000)]


def test_cancelled_from_the_api_it_stops_before_its_next_item(pillion_run, push, ledger, iterations, raw):
    jid = push("Prompt", 1000)
    pillion_run("-c", "1", app=APP).wait_ready()
    ledger.wait_for("start 500")
    iterations.cancel(jid)
    ledger.open("500")
    ledger.wait_for("on_complete")
    assert items(ledger) == list(range(501))
    assert ledger.lines[-3:] == ["on_cancel", "on_stop 501", "on_complete"]
    wait_until(lambda: not raw.exists(f"it-{jid}"), "the state to be gone")
