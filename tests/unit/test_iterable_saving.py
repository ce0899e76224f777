"""One execution of an iterable job, without Redis: what is saved when, stops, cancelling, event loops."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from iterable_memory import Memory, Run, TenItems, fail, stop

from pillion.errors import ConfigError, Interrupted
from pillion.iterable.drive import drive_aio
from pillion.iterable.enumerators import sequence
from pillion.iterable.iteration import Iteration, Overtaken, Pace

# -- saving, looking, stopping -------------------------------------------------------------------------


def test_it_saves_every_five_seconds_before_an_item():
    run = Run(TenItems())
    run.job.each_iteration = lambda item: setattr(run.clock, "now_s", run.clock.now_s + 1.0)
    run()
    assert run.memory.flushes == [(1, "5", "0")]


def test_the_figures_of_the_wire_format():
    """Half a second an item: flushed with cursor 10 after 5 s; interrupted at 28, after 14 s."""
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: sequence(range(100), cursor)

    def half_a_second(item):
        run.clock.now_s += 0.5
        run.job.interrupted = item == 27

    run.job.each_iteration = half_a_second
    run.interrupted()
    assert run.memory.flushes == [(1, "10", "0"), (1, "20", "0"), (1, "28", "0"), (1, "28", "14.0")]


def test_the_runtime_adds_up_over_executions():
    run = Run(TenItems(_4=stop))
    spend = run.job.each_iteration

    def two_seconds(item):
        run.clock.now_s += 2.0
        spend(item)

    run.job.each_iteration = two_seconds
    run.interrupted()
    assert run.memory.fields["rt"] == b"10.0"
    run.job.at.clear()
    assert run().runtime_s == 20.0


def test_an_error_after_the_end_does_not_count_the_time_twice():
    run = Run(TenItems())
    run.job.each_iteration = lambda item: setattr(run.clock, "now_s", run.clock.now_s + 0.1)
    run.job.on_complete = lambda: fail(run.job)
    with pytest.raises(ValueError, match="no"):
        run()
    assert float(run.memory.fields["rt"]) == pytest.approx(1.0)


def test_a_cancellation_from_outside_is_seen_before_the_next_item():
    run = Run(TenItems(_4=lambda job: run.memory.cancel(900)), look_every_s=0.0)
    iteration = run()
    assert run.job.done == [0, 1, 2, 3, 4]
    assert run.job.counts == [1, 0, 1, 1, 1]
    assert iteration.cancelled_at == 900
    assert run.memory.fields == {}


def test_a_flush_sees_it_too():
    run = Run(TenItems(_4=lambda job: run.memory.cancel(900)), look_every_s=1e9, flush_every_s=0.0)
    run()
    assert run.job.done == [0, 1, 2, 3, 4]


def test_it_does_not_look_more_often_than_it_was_told():
    run = Run(TenItems(), look_every_s=0.01)
    spend = run.job.each_iteration

    def three_ms(item):
        run.clock.now_s += 0.003
        spend(item)

    run.job.each_iteration = three_ms
    run()
    assert run.memory.looks == 2


def test_a_job_can_cancel_itself():
    run = Run(TenItems(_4=lambda job: job.iteration.cancel()))
    iteration = run()
    assert run.job.done == [0, 1, 2, 3, 4]
    assert run.job.counts == [1, 0, 1, 1, 1]
    assert (iteration.cancelled_at, iteration.cancel()) == (1000, 1000)


@pytest.mark.parametrize("who", ["itself", "another"])
def test_a_job_that_is_cancelled_in_its_last_item_is_simply_complete(who):
    """As in Ruby: it is looked before an item, and there is none to come (behaviour.md 16, step 5)."""
    run = Run(TenItems(_9=lambda job: job.iteration.cancel() if who == "itself" else run.memory.cancel(900)))
    run()
    assert run.job.done == list(range(10))
    assert run.job.counts == [1, 0, 1, 0, 1]
    assert run.memory.fields == {}


def test_a_job_that_cancels_itself_and_fails_is_cancelled_when_it_is_tried_again():
    run = Run(TenItems(_4=lambda job: (job.iteration.cancel(), fail(job))))
    with pytest.raises(ValueError, match="no"):
        run()
    assert run.memory.fields["cancelled"] == b"1000"
    run()
    assert run.job.done == [0, 1, 2, 3, 4]


def test_a_job_that_cancels_itself_and_leaves_is_cancelled_when_it_comes_back():
    def cancel_and_leave(job):
        job.iteration.cancel()
        raise Interrupted

    run = Run(TenItems(_4=cancel_and_leave))
    run.interrupted()
    assert run.memory.fields["cancelled"] == b"1000"
    run()
    assert run.job.done == [0, 1, 2, 3, 4]
    assert run.job.counts == [1, 1, 2, 1, 1]


def test_it_stops_when_it_has_run_long_enough():
    run = Run(TenItems(), max_runtime_s=3.0)
    spend = run.job.each_iteration

    def a_second(item):
        run.clock.now_s += 1.0
        spend(item)

    run.job.each_iteration = a_second
    run.interrupted()
    assert run.job.done == [0, 1, 2, 3]
    run.interrupted()
    run()
    assert run.job.done == list(range(10))


def test_however_low_the_limit_each_execution_does_one_item():
    run = Run(TenItems(), max_runtime_s=0.0)
    run.job.on_start = run.job.on_resume = lambda: setattr(run.clock, "now_s", run.clock.now_s + 1.0)
    for n in range(9):
        run.interrupted()
        assert run.job.done == list(range(n + 1))
    run()
    assert run.job.done == list(range(10))


def test_a_process_that_stops_before_the_first_item_loses_nothing():
    run = Run(TenItems())
    run.job.on_start = lambda: stop(run.job)
    run.interrupted()
    assert run.job.done == []
    assert run.memory.fields["c"] == b"0"


def test_an_item_that_takes_longer_than_a_process_has_to_stop_gets_a_warning(caplog):
    run = Run(TenItems(_2=lambda job: setattr(run.clock, "now_s", run.clock.now_s + 26.0)), slow_s=25.0)
    run()
    assert "One item of TenItems took 26.0 s" in caplog.text


# -- Redis is away, or somebody else has the job ---------------------------------------------------------


def test_a_redis_that_is_away_does_not_stop_the_work(caplog):
    run = Run(TenItems(_2=lambda job: setattr(run.memory, "broken", True)), flush_every_s=0.0, look_every_s=0.0)
    run()
    assert run.job.done == list(range(10))
    assert "Could not save how far TenItems has come" in caplog.text
    assert "what it saved is still in Redis" in caplog.text


def test_cancelling_itself_works_without_redis(caplog):
    def cancel(job):
        run.memory.broken = True
        job.iteration.cancel()

    run = Run(TenItems(_2=cancel), look_every_s=0.0)
    run()
    assert run.job.done == [0, 1, 2]
    assert "Could not note in Redis" in caplog.text


def test_looking_in_vain_is_no_error():
    run = Run(TenItems(_2=lambda job: setattr(run.memory, "broken", True)), look_every_s=0.0)
    run()
    assert run.job.done == list(range(10))


def test_an_execution_that_was_overtaken_stops_and_leaves_the_cursor_alone(caplog):
    run = Run(TenItems(_2=lambda job: setattr(run.memory, "overtaken", True)), flush_every_s=0.0)
    with pytest.raises(Overtaken):
        run()
    assert run.job.done == [0, 1, 2]
    assert run.job.counts == [1, 0, 0, 0, 0]
    assert run.memory.fields["c"] == b"2"
    assert "Another process" in caplog.text


def test_an_execution_that_was_overtaken_asks_only_once():
    run = Run(TenItems(), flush_every_s=0.0)
    run.memory.overtaken = True
    asked = []
    flush = run.memory.flush
    run.memory.flush = lambda *args: asked.append(args) or flush(*args)
    with pytest.raises(Overtaken):
        run()
    assert len(asked) == 1


def test_steps_that_nobody_carries_on_with_end_quietly():
    """As when a Shutdown arrives between two steps: nobody is there to save anything."""
    memory = Memory()
    steps = Iteration(TenItems(), (), memory, Pace()).steps()
    result = next(steps)()
    for _ in range(6):
        result = steps.send(result)()
    steps.close()
    assert memory.flushes == []


# -- around, async -----------------------------------------------------------------------------------------


def test_around_each_item():
    seen = []

    @contextmanager
    def around(job):
        seen.append("(")
        yield
        seen.append(")")

    run = Run(TenItems(_1=lambda job: seen.append(1)))
    run.job.build_enumerator = lambda *, cursor: sequence(range(2), cursor)
    run(around=around)
    assert seen == ["(", ")", "(", 1, ")"]


def test_an_awaitable_from_a_sync_job_is_an_error_that_says_so():
    async def hidden(item):
        pass

    run = Run(TenItems())
    run.job.each_iteration = lambda item: hidden(item)
    with pytest.raises(ConfigError, match="expected a job whose async methods are `async def`"):
        run()


def test_awaitables_are_awaited_on_an_event_loop():
    class Async(TenItems):
        async def build_enumerator(self, *, cursor):
            await asyncio.sleep(0)
            return self.pairs(cursor)

        async def pairs(self, cursor):
            for n in range(cursor or 0, 10):
                yield n, n

        async def each_iteration(self, item):
            await asyncio.sleep(0)
            super().each_iteration(item)

        async def on_complete(self):
            await asyncio.sleep(0)
            super().on_complete()

    async def execute(job, memory):
        job.interrupted = False
        iteration = job.iteration = Iteration(job, (), memory, Pace(), is_async=True)
        try:
            await drive_aio(iteration.steps())
        finally:
            await iteration.aclose()

    job, memory = Async(_3=stop), Memory()
    with pytest.raises(Interrupted):
        asyncio.run(execute(job, memory))
    assert memory.fields["c"] == b"4"
    job.at = {6: fail}
    with pytest.raises(ValueError, match="no"):
        asyncio.run(execute(job, memory))
    job.at.clear()
    asyncio.run(execute(job, memory))
    assert job.done == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9]
    assert job.counts == [1, 2, 2, 0, 1]


def test_a_state_that_answers_late_is_awaited():
    memory = Memory()

    async def load():
        return memory.load()

    async def flush(*args):
        return memory.flush(*args)

    async def nothing():
        return None

    late = SimpleNamespace(load=load, flush=flush, cancelled_at=nothing, forget=nothing)
    job = TenItems(_3=stop)
    iteration = Iteration(job, (), late, Pace(), is_async=True)
    with pytest.raises(Interrupted):
        asyncio.run(drive_aio(iteration.steps()))
    assert memory.fields["c"] == b"4"
    asyncio.run(iteration.aclose())
