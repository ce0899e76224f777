"""An interrupted job gets Shutdown while its own code runs, and at no other time."""

import threading

import pytest

from pillion.errors import Shutdown
from pillion.server.slot import Slot


def _slot() -> Slot:
    slot = Slot(lambda: False)
    slot.bind(threading.get_ident(), "8ep")
    return slot


def test_a_running_job_gets_shutdown():
    ready, result = threading.Event(), []

    def job():
        slot = Slot(lambda: False)
        slot.bind(threading.get_ident(), "8ep")
        slots.append(slot)
        slot.enter()
        try:
            ready.set()
            while True:
                pass
        except Shutdown:
            result.append("interrupted")
        finally:
            slot.leave()

    slots: list[Slot] = []
    thread = threading.Thread(target=job)
    thread.start()
    ready.wait(10)
    slots[0].interrupt()
    thread.join(10)
    assert result == ["interrupted"]


def test_a_job_that_swallows_exceptions_is_interrupted_all_the_same():
    ready, result = threading.Event(), []

    def job():
        slot = Slot(lambda: False)
        slot.bind(threading.get_ident(), "8ep")
        slots.append(slot)
        slot.enter()
        try:
            ready.set()
            while True:
                try:
                    while True:
                        pass
                except Exception:
                    pass
        except Shutdown:
            result.append("interrupted")
        finally:
            slot.leave()

    slots: list[Slot] = []
    thread = threading.Thread(target=job)
    thread.start()
    ready.wait(10)
    slots[0].interrupt()
    thread.join(10)
    assert result == ["interrupted"]


def test_between_jobs_nothing_is_raised():
    slot = _slot()
    slot.interrupt()
    for _ in range(1000):
        pass  # an exception on its way would arrive here


def test_the_next_job_of_an_interrupted_slot_does_not_begin():
    slot = _slot()
    slot.interrupt()
    with pytest.raises(Shutdown):
        slot.enter()


def test_an_interruption_that_comes_as_the_job_ends_does_not_outlive_it():
    slot = _slot()
    slot.enter()
    with slot._lock:  # interrupt() has the lock: what it sent has not arrived yet when we leave
        pass
    slot.leave()
    slot.interrupt()
    for _ in range(1000):
        pass


class Bell:
    """Somebody who can be woken, and counts how often."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


def test_a_job_that_waits_for_something_outside_is_woken_and_nothing_is_raised():
    slot, bell = _slot(), Bell()
    slot.enter()
    with slot.waiting(bell.ring):
        slot.interrupt()
        for _ in range(1000):
            pass  # an exception on its way would arrive here
    assert (bell.rung, slot.interrupted) == (1, True)
    slot.leave()


def test_what_has_been_waited_for_is_woken_no_more():
    slot, bell = _slot(), Bell()
    with slot.waiting(bell.ring):
        pass
    slot.interrupt()
    assert bell.rung == 0


def test_an_interrupted_job_does_not_begin_to_wait():
    slot, bell = _slot(), Bell()
    slot.interrupt()
    with pytest.raises(Shutdown), slot.waiting(bell.ring):
        pass
    assert bell.rung == 0


class Watcher:
    """Looks when a sync job begins, until there were `enough`. Notes what it sees of the slot."""

    def __init__(self, slot: Slot, enough: int) -> None:
        self.slot, self.enough = slot, enough
        self.seen: list[bool] = []

    def look(self) -> bool:
        self.seen.append(self.slot.in_user_code)
        return len(self.seen) < self.enough


def test_a_watcher_looks_at_each_sync_job_that_has_begun_until_it_has_seen_enough():
    slot = _slot()
    watcher = Watcher(slot, enough=3)
    slot.watch(watcher)
    for _ in range(5):
        slot.enter()
        slot.leave()
    assert watcher.seen == [True, True, True]


def test_a_watched_slot_can_be_interrupted():
    slot = _slot()
    watcher = Watcher(slot, enough=10)
    slot.watch(watcher)
    slot.interrupt()
    with pytest.raises(Shutdown):
        slot.enter()
    assert (watcher.seen, slot.in_user_code) == ([], False)
