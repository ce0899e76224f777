"""Iterable jobs on a worker's engine and a real Redis: interrupted, failed, cancelled, gone on with."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from engine import until
from iterable_scene import Gate, IterableScene

import pillion
from pillion.api.fleet import Fleet
from pillion.api.iterations import Iterations, IterationState
from pillion.config import Config
from pillion.iterable import sequence

MONTH_S = 2_592_000


@pytest.fixture
def scene(storage, redis_url):
    with IterableScene(storage, redis_url) as opened:
        yield opened


@pytest.fixture
def iterations(redis_url):
    fleet = Fleet(Config(redis=redis_url))
    yield Iterations(fleet=fleet)
    fleet.close()


@pytest.fixture
def count(scene):
    """A job over the numbers below `end`; `gates` is where it waits."""

    class Count(scene.Iterable):
        check_cancelled_every_s = 0.0
        gates: ClassVar[dict[int, Gate]] = {}

        def build_enumerator(self, end, *, cursor):
            scene.note("cursor", cursor)
            return sequence(range(end), cursor)

        def each_iteration(self, number, end):
            if number in self.gates:
                self.gates[number].wait()
            scene.note(number)

        def on_start(self):
            scene.note("start")

        def on_resume(self):
            scene.note("resume")

        def on_stop(self):
            scene.note("stop")

        def on_cancel(self):
            scene.note("cancel")

        def on_complete(self):
            scene.note("complete")

    return Count


def numbers(scene):
    return [note for note in scene.notes if isinstance(note, int)]


def test_a_job_runs_to_its_end_and_leaves_nothing(scene, count, raw):
    jid = scene.run_to_end(count, 5)
    assert scene.notes == [("cursor", None), "start", 0, 1, 2, 3, 4, "stop", "complete"]
    assert not raw.exists(f"it-{jid}")


def test_a_stop_of_the_worker_puts_it_back_and_the_next_goes_on(scene, count, raw, iterations):
    count.gates = {3: Gate()}
    jid = count.perform_async(6)
    before = json.loads(raw.lindex("queue:default", 0))
    scene.start()
    count.gates[3].meet(scene.quiet)
    scene.stop()
    assert scene.notes == [("cursor", None), "start", 0, 1, 2, 3, "stop"]
    state = iterations.get(jid)
    assert (state.executions, state.cursor, state.cancelled_at) == (1, 4, None)
    assert state.runtime_s > 0
    assert raw.hkeys(f"it-{jid}") == [b"ex", b"c", b"rt"]
    assert (raw.hget(f"it-{jid}", "ex"), raw.hget(f"it-{jid}", "c")) == (b"1", b"4")
    assert MONTH_S - 60 < raw.ttl(f"it-{jid}") <= MONTH_S
    after = json.loads(raw.lindex("queue:default", 0))
    assert {**after, "enqueued_at": 0} == {**before, "enqueued_at": 0}
    assert after["enqueued_at"] >= before["enqueued_at"]
    assert raw.get("stat:failed") is None, "a stop is no failure"
    scene.notes.clear()
    scene.start()
    until(scene.is_done)
    assert scene.notes == [("cursor", 4), "resume", 4, 5, "stop", "complete"]
    assert not raw.exists(f"it-{jid}")


def test_it_goes_behind_what_waits_already(scene, count, raw):
    count.gates = {0: Gate()}
    count.perform_async(2)
    scene.start()
    assert count.gates[0].reached.wait(30)

    class Small(scene.Plain):
        def perform(self): ...

    Small.perform_async()
    count.gates[0].meet(scene.quiet)
    scene.stop()
    names = [json.loads(job)["class"].rpartition(".")[2] for job in raw.lrange("queue:default", 0, -1)]
    assert names == ["Count", "Small"], "the tail runs next"


def test_twenty_stops_lose_nothing_and_repeat_nothing(scene, count, raw, iterations):
    stops = range(7, 2000, 100)
    count.gates = {number: Gate() for number in stops}
    jid = count.perform_async(2000)
    cursors = []
    for number in stops:
        scene.start()
        count.gates[number].meet(scene.quiet)
        scene.stop()
        cursors.append(iterations.get(jid).cursor)
    scene.start()
    until(scene.is_done)
    assert cursors == [number + 1 for number in stops], "monotone, and exactly behind the last item"
    assert numbers(scene) == list(range(2000))
    assert scene.notes.count("stop") == len(stops) + 1
    assert scene.notes.count("complete") == 1


def test_a_failed_item_follows_the_retry_rules_and_is_where_the_retry_begins(scene, count, raw, iterations):
    broken = [5]

    class Fragile(count):
        def each_iteration(self, number, end):
            if number in broken:
                raise ValueError(f"no {number}")
            super().each_iteration(number, end)

    jid = Fragile.perform_async(8)
    scene.start()
    until(lambda: raw.zcard("retry"))
    entry = json.loads(raw.zrange("retry", 0, 0)[0])
    assert (entry["jid"], entry["error_class"], entry["error_message"], entry["retry_count"]) == (
        jid,
        "ValueError",
        "no 5",
        0,
    )
    assert (iterations.get(jid).cursor, iterations.get(jid).executions) == (5, 1)
    assert "stop" not in scene.notes
    broken.clear()
    scene.notes.clear()
    raw.lpush("queue:default", raw.zpopmin("retry")[0][0])
    until(scene.is_done)
    assert scene.notes == [("cursor", 5), "resume", 5, 6, 7, "stop", "complete"]


def test_a_job_that_is_dead_keeps_its_cursor_for_a_later_try(scene, count, raw, iterations):
    class Hopeless(count, retry=0):
        def each_iteration(self, number, end):
            if number == 2:
                raise ValueError("no")

    jid = Hopeless.perform_async(5)
    scene.start()
    until(lambda: raw.zcard("dead"))
    assert iterations.get(jid).cursor == 2


@pytest.mark.parametrize("who", ["api", "another language"])
def test_a_cancelled_job_stops_before_its_next_item(scene, count, raw, iterations, who):
    count.gates = {3: Gate()}
    jid = count.perform_async(1000)
    scene.start()

    def cancel():
        if who == "api":
            iterations.cancel(jid)
        else:  # what Ruby's cancel! sends, wire-format 10
            with raw.pipeline(transaction=False) as pipe:
                pipe.hsetnx(f"it-{jid}", "cancelled", 1795300000)
                pipe.hget(f"it-{jid}", "cancelled")
                pipe.expire(f"it-{jid}", MONTH_S)
                pipe.execute()

    count.gates[3].meet(cancel)
    until(scene.is_done)
    assert scene.notes == [("cursor", None), "start", 0, 1, 2, 3, "cancel", "stop", "complete"]
    until(lambda: not raw.exists(f"it-{jid}"))
    assert raw.zcard("retry") == 0


def test_a_job_that_was_cancelled_before_it_began_processes_nothing(scene, count, iterations, raw):
    jid = count.perform_async(5)
    iterations.cancel(jid)  # leaves a hash with nothing but that field, which makes Ruby 8.1.7 fail
    scene.start()
    until(scene.is_done)
    assert scene.notes == [("cursor", None), "start", "cancel", "stop", "complete"]


def test_a_job_cancels_itself(scene, raw):
    class Enough(scene.Iterable):
        def build_enumerator(self, *, cursor):
            return sequence(range(100), cursor)

        def each_iteration(self, number):
            scene.note(number)
            if number == 2:
                self.cancel()

    jid = scene.run_to_end(Enough)
    assert scene.notes == [0, 1, 2]
    assert not raw.exists(f"it-{jid}")


def test_what_ruby_has_left_is_gone_on_with(scene, count, raw):
    """The golden vector of wire-format 13: cursor 28 after 14 s, interrupted in a Ruby 8.1.7."""
    jid = "ff783924d8ee0c8b2308a38c"
    raw.hset(f"it-{jid}", mapping={"ex": "1", "c": "28", "rt": "14.018299347000038"})
    raw.expire(f"it-{jid}", 1000)
    name = count.__job__.wire_name
    raw.lpush("queue:default", json.dumps({"class": name, "args": [40], "jid": jid, "queue": "default", "retry": True}))
    count.gates = {30: Gate()}
    scene.start()
    count.gates[30].meet(scene.quiet)
    scene.stop()
    assert scene.notes == [("cursor", 28), "resume", 28, 29, 30, "stop"]
    assert raw.hget(f"it-{jid}", "ex") == b"2"
    assert raw.hget(f"it-{jid}", "c") == b"31"
    assert float(raw.hget(f"it-{jid}", "rt")) > 14.018299347000038
    assert raw.ttl(f"it-{jid}") <= 1000, "a later flush does not make it live longer"


def test_what_ruby_7_2_leaves_has_no_field_for_cancelling(scene, count, raw, iterations):
    jid = count.perform_async(3)
    raw.hset(f"it-{jid}", mapping={"ex": "3", "c": "null", "rt": "0"})
    assert iterations.get(jid) == IterationState(3, 0.0, None, None)
    scene.start()
    until(scene.is_done)
    assert scene.notes == [("cursor", None), "resume", 0, 1, 2, "stop", "complete"]


def test_a_killed_worker_sets_it_back_to_the_last_flush_at_most(scene, count, raw, iterations):
    class Careful(count):
        flush_every_s = 0.0

    jid = Careful.perform_async(5)
    Careful.gates = {3: Gate()}
    scene.start()
    assert Careful.gates[3].reached.wait(30)
    # As after a kill -9, what is in Redis is all there is: the cursor of the item that was being processed.
    assert iterations.get(jid) == IterationState(1, 0.0, 3, None)
    Careful.gates[3].meet()
    until(scene.is_done)


def test_a_worker_that_lost_the_job_leaves_the_cursor_of_the_other_alone(scene, count, raw, iterations):
    class Careful(count):
        flush_every_s = 0.0

    jid = Careful.perform_async(100)
    Careful.gates = {3: Gate()}
    engine = scene.start()

    def another_goes_on():
        raw.delete(engine.inflight())  # the reaper gave it to somebody else, who is further on
        raw.hset(f"it-{jid}", mapping={"ex": 2, "c": "50", "rt": "1.5"})

    Careful.gates[3].meet(another_goes_on)
    until(lambda: engine.manager.busy() == 0)
    assert numbers(scene) == [0, 1, 2, 3]
    assert "stop" not in scene.notes
    assert iterations.get(jid) == IterationState(2, 1.5, 50, None)
    assert raw.llen("queue:default") == 0, "what is not ours is not put back"


def test_a_deadline_in_the_middle_of_an_item_loses_only_that_item(scene, raw, iterations):
    gate = Gate()

    class Stuck(scene.Iterable):
        stuck = True

        def build_enumerator(self, *, cursor):
            return sequence(range(5), cursor)

        def each_iteration(self, number):
            scene.note(number)
            if number == 3 and self.stuck:
                gate.reached.set()
                while True:
                    pass

    jid = Stuck.perform_async()
    scene.start()
    assert gate.reached.wait(30)
    scene.stop(within_s=0.0)
    assert raw.llen("queue:default") == 1
    assert iterations.get(jid).cursor == 3
    Stuck.stuck = False
    scene.start()
    until(scene.is_done)
    assert scene.notes == [0, 1, 2, 3, 3, 4]


def test_the_config_limits_an_execution(scene, count):
    scene.home.config().max_iteration_runtime_s = 1e-9
    scene.run_to_end(count, 4)
    assert scene.notes.count("resume") == 3


def test_the_class_limits_an_execution(scene, count):
    class Short(count):
        max_iteration_runtime_s = 0.0

    scene.run_to_end(Short, 4)
    assert numbers(scene) == [0, 1, 2, 3]
    assert scene.notes.count("stop") == 4
    assert scene.notes.count("resume") == 3


def test_two_jobs_that_yield_to_each_other_take_turns(scene, count):
    class Short(count):
        max_iteration_runtime_s = 0.0

    first, second = Short.perform_async(3), Short.perform_async(3)
    assert first != second
    scene.start()
    until(scene.is_done)
    assert numbers(scene) == [0, 0, 1, 1, 2, 2]


def test_an_item_that_is_left_for_later_waits_in_the_schedule(scene, count, raw, iterations):
    class Busy(count):
        busy = True

        def each_iteration(self, number, end):
            if number == 2 and Busy.busy:
                raise pillion.Postponed(3600)
            super().each_iteration(number, end)

    jid = Busy.perform_async(4)
    engine = scene.start()
    until(lambda: raw.zcard("schedule"))
    assert iterations.get(jid).cursor == 2
    assert scene.notes[-1] == "stop"
    assert not engine.reports
    Busy.busy = False
    raw.lpush("queue:default", raw.zpopmin("schedule")[0][0])
    until(scene.is_done)
    assert numbers(scene) == [0, 1, 2, 3]


def test_async_jobs_are_interrupted_and_gone_on_with(scene, raw, iterations):
    gate = Gate()

    class Async(scene.Iterable):
        async def build_enumerator(self, *, cursor):
            for number in range(cursor or 0, 6):
                yield number, number

        async def each_iteration(self, number):
            if number == 2:
                gate.wait()
            scene.note(number)

        async def on_stop(self):
            scene.note("stop")

    jid = Async.perform_async()
    scene.start()
    gate.meet(scene.quiet)
    scene.stop()
    assert iterations.get(jid).cursor == 3
    scene.start()
    until(scene.is_done)
    assert scene.notes == [0, 1, 2, "stop", 3, 4, 5, "stop"]
    assert not raw.exists(f"it-{jid}")


@pytest.mark.parametrize("is_async", [False, True])
def test_it_works_inside_middleware(scene, count, raw, is_async):
    seen = []

    def around(job, payload, queue):
        seen.append("<")
        yield
        seen.append(">")

    scene.home.config().server_middleware.add(around)

    class Async(count):
        async def on_stop(self):
            scene.note("async stop")

    jid = (Async if is_async else count).perform_async(3)
    engine = scene.start(server_middleware=scene.home.config().server_middleware)
    until(scene.is_done)
    scene.stop()
    assert not engine.reports
    assert seen == ["<", ">"]
    assert numbers(scene) == [0, 1, 2]
    assert not raw.exists(f"it-{jid}")


def test_a_redis_that_refuses_to_save_does_not_stop_the_job(scene, count, raw, caplog):
    class Careful(count):
        flush_every_s = 0.0
        check_cancelled_every_s = 5.0

    jid = Careful.perform_async(3)
    raw.set(f"it-{jid}x", "")
    Careful.gates = {1: Gate()}
    scene.start()
    Careful.gates[1].meet(lambda: (raw.delete(f"it-{jid}"), raw.set(f"it-{jid}", "not a hash")))
    until(scene.is_done)
    assert numbers(scene) == [0, 1, 2]
    assert "Could not save how far" in caplog.text
