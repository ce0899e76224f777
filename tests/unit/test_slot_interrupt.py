"""An interrupted job gets Shutdown while its own code runs, and at no other time."""

import threading

import pytest

from pillion.errors import Shutdown
from pillion.server.slot import Slot


def _slot() -> Slot:
    slot = Slot(lambda: False)
    slot.bind()
    return slot


def test_a_running_job_gets_shutdown():
    ready, result = threading.Event(), []

    def job():
        slot = Slot(lambda: False)
        slot.bind()
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
        slot.bind()
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


def test_an_async_job_asleep_on_its_loop_is_woken_and_interrupted():
    import asyncio

    ready, result = threading.Event(), []

    async def body():
        ready.set()
        await asyncio.sleep(3600)

    def job():
        slot = Slot(lambda: False)
        slot.bind()
        slots.append(slot)
        slot.enter()
        try:
            slot.await_(body())
        except Shutdown:
            result.append("interrupted")
        finally:
            slot.leave()
            slot.close()

    slots: list[Slot] = []
    thread = threading.Thread(target=job)
    thread.start()
    ready.wait(10)
    slots[0].interrupt()
    thread.join(10)
    assert result == ["interrupted"]
