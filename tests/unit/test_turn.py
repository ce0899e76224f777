"""Turn: one thread at a time, and nobody waits who need not."""

from __future__ import annotations

import threading

from pillion.server.turn import Turn


def in_thread(function, *args):
    """Run it in another thread; returns that and the list its result will be in."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)), daemon=True)
    thread.start()
    return thread, results


def test_it_is_taken_by_one_at_a_time():
    turn = Turn()
    assert turn.take_if(lambda: True)
    assert not turn.take_if(lambda: True)
    turn.end()
    assert turn.take_if(lambda: True)


def test_it_is_not_taken_if_it_is_not_due():
    turn = Turn()
    assert not turn.take_if(lambda: False)
    assert turn.take_if(lambda: True)


def test_who_has_enough_does_not_take_it():
    turn = Turn()
    assert not turn.take_unless(lambda: True)
    assert turn.take_if(lambda: True)


def test_who_has_not_enough_waits_until_it_is_over():
    turn = Turn()
    turn.take_if(lambda: True)
    thread, results = in_thread(turn.take_unless, lambda: False)
    turn.end()
    thread.join(60)
    assert results == [True]
    assert not turn.take_if(lambda: True)


def test_who_waits_goes_on_with_what_the_other_has_brought():
    turn, brought = Turn(), []
    turn.take_if(lambda: True)
    asked = threading.Event()

    def is_enough():
        asked.set()
        return bool(brought)

    thread, results = in_thread(turn.take_unless, is_enough)
    asked.wait(60)
    brought.append("a job")
    turn.end()
    thread.join(60)
    assert results == [False]
    assert turn.take_if(lambda: True)


def test_who_had_enough_a_moment_ago_does_not_take_it_from_another():
    turn = Turn()
    turn.take_if(lambda: True)
    enough = iter([True, False])  # other threads take from the buffer meanwhile
    assert not turn.take_unless(lambda: next(enough))


def test_all_who_wait_go_on_with_what_the_other_has_brought():
    turn, brought, asked = Turn(), [], threading.Semaphore(0)
    turn.take_if(lambda: True)

    def is_enough():
        asked.release()
        return bool(brought)

    waiting = [in_thread(turn.take_unless, is_enough) for _ in range(2)]
    assert asked.acquire(timeout=60)
    assert asked.acquire(timeout=60)
    brought.append("a job")
    turn.end()
    for thread, _ in waiting:
        thread.join(20)
    assert [results for _, results in waiting] == [[False], [False]]


def test_alone_is_over_also_after_an_error():
    turn = Turn()
    try:
        with turn.alone():
            assert not turn.take_if(lambda: True)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert turn.take_if(lambda: True)
