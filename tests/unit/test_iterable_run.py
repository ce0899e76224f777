"""One execution of an iterable job, without Redis: which hook is called when, what is saved when (behaviour 16)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from pillion.errors import ConfigError, DecodeError, Interrupted, RedisUnavailable, Shutdown
from pillion.iterable.drive import drive, drive_aio
from pillion.iterable.enumerators import sequence
from pillion.iterable.iteration import Aborted, Iteration, Overtaken, Pace
from pillion.storage.ops.iteration import Flushed

HOOKS = ("start", "resume", "stop", "cancel", "complete")


class Memory:
    """The state of one job, as Redis keeps it; `flushes` are what was saved, in order."""

    def __init__(self):
        self.fields = {}
        self.flushes = []
        self.looks = 0
        self.broken = False
        self.overtaken = False

    def load(self):
        return dict(self.fields)

    def flush(self, executions, cursor, runtime):
        if self.broken:
            raise RedisUnavailable("gone")
        if self.overtaken:
            return Flushed(False, None)
        self.fields |= {"ex": str(executions).encode(), "c": cursor, "rt": runtime.encode()}
        self.flushes.append((executions, cursor.decode(), runtime))
        return Flushed(True, self._cancelled())

    def cancelled_at(self):
        self.looks += 1
        if self.broken:
            raise RedisUnavailable("gone")
        return self._cancelled()

    def cancel(self, now_s):
        if self.broken:
            raise RedisUnavailable("gone")
        self.fields.setdefault("cancelled", str(now_s).encode())
        return self._cancelled()

    def forget(self):
        if self.broken:
            raise RedisUnavailable("gone")
        self.fields.clear()

    def _cancelled(self):
        return int(self.fields["cancelled"]) if "cancelled" in self.fields else None


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class TenItems:
    """A job with ten items. `at` maps an item to what happens while it is processed."""

    interrupted = False

    def __init__(self, **at):
        self.at = {int(name[1:]): action for name, action in at.items()}
        self.done = []
        self.calls = dict.fromkeys(HOOKS, 0)
        self.iteration = None

    def build_enumerator(self, *args, cursor):
        return sequence(range(10), cursor)

    def each_iteration(self, item, *args):
        self.done.append(item)
        if item in self.at:
            self.at[item](self)

    def on_start(self):
        self.calls["start"] += 1

    def on_resume(self):
        self.calls["resume"] += 1

    def on_stop(self):
        self.calls["stop"] += 1

    def on_cancel(self):
        self.calls["cancel"] += 1

    def on_complete(self):
        self.calls["complete"] += 1

    @property
    def counts(self):
        return [self.calls[name] for name in HOOKS]


def stop(job):
    job.interrupted = True


def fail(job):
    raise ValueError("no")


class Run:
    """Executions of one job, one after the other, on one state and one clock."""

    def __init__(self, job, **pace):
        self.job, self.memory, self.clock = job, Memory(), Clock()
        self.pace = Pace(**pace)

    def __call__(self, *args, around=None):
        self.job.interrupted = False
        iteration = self.job.iteration = Iteration(
            self.job, args, self.memory, self.pace, around, clock_s=self.clock, now_s=lambda: 1000.5
        )
        drive(iteration.steps())
        return iteration

    def interrupted(self, *args):
        with pytest.raises(Interrupted):
            self(*args)


# -- the matrix ----------------------------------------------------------------------------------------


def test_a_full_run():
    run = Run(TenItems())
    run()
    assert run.job.done == list(range(10))
    assert run.job.counts == [1, 0, 1, 0, 1]
    assert (run.memory.fields, run.memory.flushes) == ({}, [])


def test_interrupted_then_finished():
    run = Run(TenItems(_3=stop))
    run.interrupted()
    assert run.job.done == [0, 1, 2, 3]
    assert run.memory.fields["c"] == b"4"
    run.job.at.clear()
    run()
    assert run.job.done == list(range(10)), "a clean stop repeats nothing"
    assert run.job.counts == [1, 1, 2, 0, 1]
    assert run.memory.fields == {}


def test_after_two_items_the_cursor_is_2():
    run = Run(TenItems(_1=stop))
    run.interrupted()
    assert run.memory.fields == {"ex": b"1", "c": b"2", "rt": b"0"}


def test_an_execution_goes_on_with_the_item_of_the_cursor():
    class Letters(TenItems):
        def build_enumerator(self, *args, cursor):
            return sequence(range(10, 14), cursor)

    run = Run(Letters())
    run.memory.fields = {"ex": b"1", "c": b"2", "rt": b"0"}
    run()
    assert run.job.done == [12, 13]


def test_cancelled_between_executions():
    run = Run(TenItems())
    run.memory.fields = {"ex": b"1", "c": b"3", "rt": b"1.5", "cancelled": b"7"}
    iteration = run()
    assert run.job.done == []
    assert run.job.counts == [0, 1, 1, 1, 1]
    assert (iteration.cancelled_at, run.memory.fields) == (7, {})


def test_cancelled_before_its_first_start_with_nothing_but_the_flag():
    run = Run(TenItems())
    run.memory.fields = {"cancelled": b"7"}
    run()
    assert run.job.done == []
    assert run.job.counts == [1, 0, 1, 1, 1]


def test_an_abort_completes():
    run = Run(TenItems(_2=lambda job: (_ for _ in ()).throw(Aborted(resume=False))))
    run()
    assert run.job.done == [0, 1, 2]
    assert run.job.counts == [1, 0, 1, 0, 1]


def test_an_abort_to_resume_begins_with_the_item_at_hand():
    def later(job):
        raise Aborted(resume=True)

    run = Run(TenItems(_2=later))
    run.interrupted()
    assert run.job.counts == [1, 0, 1, 0, 0]
    assert run.memory.fields["c"] == b"2"
    run.job.at.clear()
    run()
    assert run.job.done == [0, 1, 2, *range(2, 10)]


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_complete"])
def test_an_abort_in_a_hook_completes(hook):
    run = Run(TenItems())

    def leave():
        raise Aborted(resume=False)

    setattr(run.job, hook, leave)
    run()
    assert run.job.done == ([] if hook == "on_start" else list(range(10)))
    assert run.memory.fields == {}


def test_a_job_that_raises_interrupted_itself_goes_on_later():
    def later(job):
        raise Interrupted

    run = Run(TenItems(_2=later))
    run.interrupted()
    assert run.job.counts == [1, 0, 1, 0, 0]
    assert run.memory.fields["c"] == b"2"


def test_an_exception_saves_the_cursor_and_calls_nothing():
    run = Run(TenItems(_5=fail))
    with pytest.raises(ValueError, match="no"):
        run()
    assert run.job.counts == [1, 0, 0, 0, 0]
    assert run.memory.fields["c"] == b"5"
    run.job.at.clear()
    run()
    assert run.job.done == [*range(6), *range(5, 10)], "the item that failed is tried again, and no other"
    assert run.job.counts == [1, 1, 1, 0, 1]


def test_a_shutdown_in_the_middle_of_an_item_saves_the_cursor():
    def shutdown(job):
        raise Shutdown

    run = Run(TenItems(_5=shutdown))
    with pytest.raises(Shutdown):
        run()
    assert run.memory.fields["c"] == b"5"


def test_an_exception_in_on_complete_leaves_the_last_item_to_be_done_again():
    run = Run(TenItems())
    run.job.on_complete = lambda: fail(run.job)
    with pytest.raises(ValueError, match="no"):
        run()
    assert run.memory.fields["c"] == b"9"


def test_an_exception_before_the_first_item_saves_nothing():
    run = Run(TenItems())
    run.job.on_start = lambda: fail(run.job)
    with pytest.raises(ValueError, match="no"):
        run()
    assert run.memory.fields == {}


# -- what there is to iterate --------------------------------------------------------------------------


def test_no_enumerator_means_nothing_to_do(caplog):
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: None
    run.memory.fields = {"ex": b"1", "c": b"3"}
    with caplog.at_level(logging.INFO, "pillion"):
        run()
    assert run.job.counts == [0, 0, 0, 0, 0]
    assert run.memory.fields == {"ex": b"1", "c": b"3"}, "the state is left as it is"
    assert "nothing to iterate" in caplog.text


def test_an_empty_enumerator_completes(caplog):
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: iter(())
    with caplog.at_level(logging.DEBUG, "pillion"):
        run()
    assert run.job.counts == [1, 0, 1, 0, 1]
    assert "found nothing to iterate" in caplog.text


@pytest.mark.parametrize("result", [[(1, 1)], range(3), 5])
def test_what_is_no_iterator_is_refused(result):
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: result
    with pytest.raises(ConfigError, match=r"build_enumerator: expected an iterator of \(item, cursor\), or None"):
        run()


@pytest.mark.parametrize("item", [5, (1, 2, 3), (1,)])
def test_items_without_a_cursor_are_refused(item):
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: iter([item])
    with pytest.raises(ConfigError, match="yield item, cursor"):
        run()


def test_a_cursor_that_cannot_be_stored_is_found_with_the_first_item():
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: iter([(1, (1, 2))])
    with pytest.raises(ConfigError, match="cursor: expected plain JSON"):
        run()
    assert run.job.done == []


def test_a_cursor_that_becomes_impossible_does_not_hide_the_error_of_an_item(caplog):
    run = Run(TenItems(_2=fail))
    run.job.build_enumerator = lambda *, cursor: iter([(1, 1), (2, {1, 2})])
    with pytest.raises(ValueError, match="no"):
        run()
    assert "Could not save" in caplog.text


def test_a_stored_cursor_that_is_no_json_fails_instead_of_beginning_anew():
    run = Run(TenItems())
    run.memory.fields = {"c": b"not json"}
    with pytest.raises(DecodeError):
        run()
    assert run.job.done == []


def test_the_arguments_reach_both_methods_and_the_cursor_is_a_keyword():
    seen = []
    run = Run(TenItems())
    run.job.build_enumerator = lambda *args, cursor: seen.append((args, cursor)) or iter([("x", 0)])
    run.job.each_iteration = lambda *args: seen.append(args)
    assert run("a", 1).args == ("a", 1)
    assert seen == [(("a", 1), None), ("x", "a", 1)]


def test_the_enumerator_is_closed_also_after_an_interruption():
    closed = []

    def pairs():
        try:
            yield from ((n, n) for n in range(10))
        finally:
            closed.append(True)

    run = Run(TenItems(_3=stop))
    run.job.build_enumerator = lambda *, cursor: pairs()
    run.interrupted()
    run.job.iteration.close()
    assert closed == [True]


def test_closing_what_cannot_be_closed_does_nothing():
    run = Run(TenItems())
    run.job.build_enumerator = lambda *, cursor: iter([(1, 1)])
    run().close()


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


def test_a_job_that_cancels_itself_and_fails_is_cancelled_when_it_is_tried_again():
    run = Run(TenItems(_4=lambda job: (job.iteration.cancel(), fail(job))))
    with pytest.raises(ValueError, match="no"):
        run()
    assert run.memory.fields["cancelled"] == b"1000"
    run()
    assert run.job.done == [0, 1, 2, 3, 4]


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
