"""One execution of an iterable job, without Redis: which hook is called when, and over what (behaviour 16)."""

from __future__ import annotations

import logging

import pytest
from iterable_memory import Run, TenItems, fail, stop

from pillion.errors import ConfigError, DecodeError, Interrupted, Postponed, Shutdown
from pillion.iterable.enumerators import sequence
from pillion.iterable.iteration import Aborted

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


def test_an_abort_while_building_is_nothing_to_do():
    def leave(*, cursor):
        raise Aborted(resume=cursor is None)

    run = Run(TenItems())
    run.job.build_enumerator = leave
    run.interrupted()
    run.memory.fields = {"c": b"3"}
    run()
    assert run.job.counts == [0, 0, 0, 0, 0]
    assert run.memory.fields == {"c": b"3"}


def test_a_job_that_raises_interrupted_itself_goes_on_later():
    def later(job):
        raise Interrupted

    run = Run(TenItems(_2=later))
    run.interrupted()
    assert run.job.counts == [1, 0, 1, 0, 0]
    assert run.memory.fields["c"] == b"2"


def test_a_job_that_wants_to_wait_says_for_how_long():
    def wait(job):
        raise Postponed(30.0)

    run = Run(TenItems(_2=wait))
    with pytest.raises(Postponed) as told:
        run()
    assert told.value.delay_s == 30.0
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


def test_a_length_of_time_in_words_is_refused_where_it_is_raised():
    with pytest.raises(ConfigError, match="delay_s: expected a number of seconds, got '1m'"):
        Postponed("1m")
