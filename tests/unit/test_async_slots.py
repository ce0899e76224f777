"""The slots of a capsule, and how many threads it starts for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pillion.server.slot import Slot
from pillion.server.slot_pool import SlotPool
from pillion.server.staff import REFUSED_WAIT_S, SMALL, Post, Staff

WATCHDOG_S = 10.0


def slots(count: int) -> list[Slot]:
    return [Slot(lambda: False) for _ in range(count)]


# -- the pool ----------------------------------------------------------------------------------------


def test_each_slot_is_handed_out_once() -> None:
    pool = SlotPool(slots(3))
    taken = {pool.take_now() for _ in range(3)}
    assert len(taken - {None}) == 3
    assert pool.take_now() is None
    assert pool.free == 0


def test_who_waits_gets_the_slot_that_comes_back() -> None:
    pool, got = SlotPool(slots(1)), []
    slot = pool.take_now()
    assert slot is not None
    waiting = threading.Thread(target=lambda: got.append(pool.take()))
    waiting.start()
    pool.give(slot)
    waiting.join(WATCHDOG_S)
    assert got == [slot]


def test_who_waits_when_it_closes_gets_none() -> None:
    pool, got = SlotPool(slots(1)), []
    pool.take_now()
    waiting = [threading.Thread(target=lambda: got.append(pool.take())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    pool.close()
    for thread in waiting:
        thread.join(WATCHDOG_S)
    assert got == [None, None, None]


def test_a_closed_pool_has_nothing_to_give() -> None:
    pool = SlotPool(slots(2))
    pool.close()
    assert (pool.free, pool.take_now(), pool.take()) == (0, None, None)


def test_what_is_held_back_is_handed_out_after_the_release() -> None:
    pool = SlotPool(slots(5))
    pool.hold_back(all_but=1)
    assert pool.free == 1
    pool.release()
    assert pool.free == 5


def test_who_waits_gets_a_slot_that_is_released() -> None:
    pool, got = SlotPool(slots(2)), []
    pool.hold_back(all_but=1)
    first = pool.take_now()
    waiting = threading.Thread(target=lambda: got.append(pool.take()))
    waiting.start()
    pool.release()
    waiting.join(WATCHDOG_S)
    assert got != [first]
    assert got != [None]


def test_all_are_back_when_the_last_one_is() -> None:
    pool = SlotPool(slots(2))
    taken = [pool.take_now() for _ in range(2)]
    pool.close()
    assert not pool.wait_for_all(time.monotonic())
    for slot in taken:
        assert slot is not None
        pool.give(slot)
    assert pool.wait_for_all(time.monotonic() + WATCHDOG_S)


# -- the threads -------------------------------------------------------------------------------------


class Company:
    """A staff whose threads wait at a gate, and its pool."""

    def __init__(self, count: int) -> None:
        self.pool = SlotPool(slots(count))
        self.now_s = 1000.0
        self.leave = threading.Event()
        self.staff = Staff(self.pool, self._live, name="test", most=count, clock=lambda: self.now_s)
        self.staff.start()

    def _live(self, post: Post) -> None:
        self.leave.wait(WATCHDOG_S)
        self.pool.give(post.slot)

    def begin_sync_job(self) -> bool:
        """The first thread that is free begins one, and looks; what it is told."""
        next(post.slot for post in self.staff._posts if not post.slot.in_user_code).in_user_code = True
        return self.staff.look()

    def end_sync_job(self) -> None:
        """The first thread that is in one leaves it."""
        next(post.slot for post in self.staff._posts if post.slot.in_user_code).in_user_code = False


MANY = SMALL + 10


@pytest.fixture
def company() -> Iterator[Callable[[int], Company]]:
    made: list[Company] = []

    def make(count: int) -> Company:
        made.append(Company(count))
        return made[-1]

    yield make
    for each in made:
        each.leave.set()
        each.pool.close()
        assert each.pool.wait_for_all(time.monotonic() + WATCHDOG_S)


def test_it_begins_with_one_thread(company: Callable[[int], Company]) -> None:
    staff = company(MANY).staff
    staff.start()
    assert len(staff) == 1


def test_one_more_is_started_when_all_are_in_sync_jobs(company: Callable[[int], Company]) -> None:
    scene = company(MANY)
    assert [(scene.begin_sync_job(), len(scene.staff)) for _ in range(3)] == [(True, 2), (True, 3), (True, 4)]


def test_none_is_started_while_another_is_free(company: Callable[[int], Company]) -> None:
    scene = company(MANY)
    for _ in range(20):
        scene.begin_sync_job()
        scene.end_sync_job()
    assert len(scene.staff) == 2


def test_a_small_capsule_has_all_threads_with_its_first_sync_job(company: Callable[[int], Company]) -> None:
    scene = company(SMALL)
    assert not scene.begin_sync_job(), "nobody needs to look any more"
    assert len(scene.staff) == SMALL


def test_there_are_never_more_threads_than_slots(company: Callable[[int], Company]) -> None:
    scene = company(MANY)
    told = [scene.begin_sync_job() for _ in range(MANY)]
    assert len(scene.staff) == MANY
    assert told == [True] * (MANY - 2) + [False, False]


def test_a_thread_that_waits_for_a_slot_is_free(company: Callable[[int], Company]) -> None:
    """Its last slot may be in a sync job of somebody else by now."""
    scene = company(MANY)
    [post] = scene.staff._posts
    left = post.slot
    post.leave_slot()
    left.in_user_code = True
    assert scene.staff.look()
    assert len(scene.staff) == 1
    post.slot = left


def test_no_thread_is_started_that_would_have_no_slot(company: Callable[[int], Company]) -> None:
    scene = company(3)
    taken = [scene.pool.take_now() for _ in range(2)]
    assert scene.begin_sync_job()
    assert len(scene.staff) == 1
    for slot in taken:
        assert slot is not None
        scene.pool.give(slot)
    scene.staff.look()  # as the loop does
    assert len(scene.staff) == 3


def test_a_slot_that_comes_free_starts_nobody_while_a_thread_is_there_to_take_it(
    company: Callable[[int], Company],
) -> None:
    scene = company(3)
    scene.staff.look()
    assert len(scene.staff) == 1


def test_nobody_is_started_once_the_pool_is_closed(company: Callable[[int], Company]) -> None:
    scene = company(3)
    scene.pool.close()
    scene.begin_sync_job()
    assert len(scene.staff) == 1


def test_a_system_without_further_threads_is_asked_again_later_and_costs_no_slot(
    company: Callable[[int], Company], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = company(MANY)

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        scene.begin_sync_job()
        scene.staff.look()
    assert caplog.text.count("can't start new thread") == 1
    assert (len(scene.staff), scene.pool.free) == (1, MANY - 1)
    scene.staff.look()
    assert len(scene.staff) == 1
    scene.now_s += REFUSED_WAIT_S
    scene.staff.look()
    assert len(scene.staff) == 2


def test_of_a_thread_that_begins_and_a_slot_that_comes_free_one_sees_the_other(
    company: Callable[[int], Company],
) -> None:
    for _ in range(50):
        scene = company(2)
        slot = scene.pool.take_now()
        assert slot is not None
        together = threading.Barrier(2, timeout=WATCHDOG_S)

        def begin(scene: Company = scene, together: threading.Barrier = together) -> None:
            together.wait()
            scene.begin_sync_job()

        thread = threading.Thread(target=begin)
        thread.start()
        together.wait()
        scene.pool.give(slot)
        scene.staff.look()
        thread.join(WATCHDOG_S)
        assert len(scene.staff) == 2
