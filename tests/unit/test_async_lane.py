"""The event loop of a worker: what rides on it, what is left of it, and what it says when it is held up."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib.util
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from pillion.errors import ConfigError, Shutdown
from pillion.server.aside import Aside
from pillion.server.lane import Lane, new_loop
from pillion.server.loop_watch import (
    LATE_S,
    LOOK_EVERY_S,
    OVERSLEPT_S,
    Verdict,
    judge,
    waited_for_processor_s,
)
from pillion.server.task_dump import NAMED, TaskView, describe_tasks, stack_of
from pillion.server.time_limit import within

WATCHDOG_S = 20.0
LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


class Trip:
    """A ride that runs a coroutine function, and keeps what came of it."""

    def __init__(self, lane: Lane, body: Callable[[], Awaitable[Any]], name: str = "Trip") -> None:
        self._lane = lane
        self._body = body
        self.name, self.detail = name, "c9f6"
        self.context = contextvars.Context()
        self.task: asyncio.Task[None] | None = None
        self.result: Any = None
        self.over = threading.Event()

    async def go(self) -> None:
        try:
            self.result = await self._body()
        except BaseException as exc:
            self.result = exc
        self._lane.left(self)
        self.over.set()

    def wait(self) -> Any:
        assert self.over.wait(WATCHDOG_S)
        return self.result


@pytest.fixture(params=LOOPS)
def lane(request: pytest.FixtureRequest) -> Iterator[Lane]:
    lane = Lane(request.param)
    yield lane
    lane.stop(time.monotonic() + WATCHDOG_S)


def ride(lane: Lane, body: Callable[[], Awaitable[Any]], name: str = "Trip") -> Trip:
    trip = Trip(lane, body, name)
    lane.submit(trip)
    return trip


async def soon() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


async def forever() -> None:
    await asyncio.Event().wait()


# -- rides -------------------------------------------------------------------------------------------


def test_there_is_no_thread_before_the_first_ride() -> None:
    lane = Lane()
    assert lane.describe() == []
    assert "pillion.loop" not in [thread.name for thread in threading.enumerate()]
    lane.stop(time.monotonic())


def test_all_rides_are_in_one_thread(lane: Lane) -> None:
    assert {ride(lane, soon).wait() for _ in range(5)} == {"pillion.loop"}


def test_rides_from_many_threads_all_arrive(lane: Lane) -> None:
    trips: list[Trip] = []

    def send() -> None:
        trips.extend(ride(lane, soon) for _ in range(200))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WATCHDOG_S)
    assert [trip.wait() for trip in trips] == ["pillion.loop"] * 1600


def test_each_ride_has_the_context_that_it_came_with(lane: Lane) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def look() -> str:
        seen = variable.get()
        variable.set("left behind")
        return seen

    assert [ride(lane, look).wait() for _ in range(3)] == ["unset"] * 3


def test_a_cancelled_ride_gets_a_cancelled_error(lane: Lane) -> None:
    trip = ride(lane, forever)
    lane.cancel(trip)
    assert isinstance(trip.wait(), asyncio.CancelledError)


def test_a_ride_that_is_over_is_not_cancelled(lane: Lane) -> None:
    trip = ride(lane, soon)
    trip.wait()
    lane.cancel(trip)
    ride(lane, soon).wait()
    assert trip.task is not None
    assert not trip.task.cancelled()


def test_a_ride_is_cancelled_although_the_thread_that_calls_the_loop_for_it_is_slow(lane: Lane) -> None:
    ride(lane, soon).wait()
    lane._called = True  # as another thread leaves it that is stopped right before it calls the loop
    trip = ride(lane, forever)
    lane.cancel(trip)
    assert isinstance(trip.wait(), asyncio.CancelledError)


def test_nothing_is_kept_of_rides_that_a_loop_with_eager_tasks_has_ended_at_once(lane: Lane) -> None:
    """As `asyncio.eager_task_factory` does it from Python 3.12 on."""

    def run_at_once(loop: asyncio.AbstractEventLoop, coroutine: Any, context: Any = None, **_: Any) -> Any:
        if coroutine.__qualname__ != Trip.go.__qualname__:
            return asyncio.Task(coroutine, loop=loop, context=context)
        with contextlib.suppress(StopIteration):
            context.run(coroutine.send, None)
        done = loop.create_future()
        done.set_result(None)
        return done

    async def set_up() -> None:
        asyncio.get_running_loop().set_task_factory(run_at_once)

    async def at_once() -> None:
        kept.append(len(lane._riding))

    kept: list[int] = []
    for body in (set_up, at_once, at_once, at_once):
        ride(lane, body).wait()
    assert kept == [0, 0, 0]


def test_a_task_that_wants_to_end_the_process_does_not_end_the_loop(
    lane: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def start_it() -> None:
        await asyncio.gather(asyncio.create_task(leave()), return_exceptions=True)

    ride(lane, start_it).wait()
    assert ride(lane, soon).wait() == "pillion.loop"
    assert "the loop goes on" in caplog.text


def test_what_is_done_aside_does_not_hold_up_the_loop(lane: Lane) -> None:
    leave, ended = threading.Event(), threading.Event()
    lane.aside(lambda: (leave.wait(WATCHDOG_S), ended.set()))
    assert ride(lane, soon).wait() == "pillion.loop"
    leave.set()
    assert ended.wait(WATCHDOG_S)


def test_an_error_aside_is_logged(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()

    def fail() -> None:
        try:
            raise LookupError("aside")
        finally:
            ended.set()

    lane.aside(fail)
    assert ended.wait(WATCHDOG_S)
    done = threading.Event()
    for _ in range(8):
        lane.aside(done.set)
    assert done.wait(WATCHDOG_S)
    while "LookupError: aside" not in caplog.text:
        time.sleep(0.01)


def test_what_is_done_aside_is_done_once_also_where_no_thread_can_be_started(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    ride(lane, soon).wait()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        lane.aside(done.append, 1)
    assert done == [1]
    ended = threading.Event()
    lane.aside(ended.set)
    assert ended.wait(WATCHDOG_S)
    assert done == [1]


def test_aside_there_are_no_more_threads_than_needed_and_never_more_than_allowed() -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name.startswith("pillion.aside")}

    before, aside, leave, sizes = threads(), Aside(2), threading.Event(), []
    for _ in range(3):
        aside.do(leave.wait, WATCHDOG_S)
        sizes.append(len(threads() - before))
    leave.set()
    aside.close()
    assert sizes == [1, 2, 2]


def test_names_for_what_rides_are_never_given_twice(lane: Lane) -> None:
    assert len({lane.new_tid() for _ in range(100)}) == 100


# -- the end -----------------------------------------------------------------------------------------


def test_a_stop_cancels_what_is_left_and_closes_async_generators(lane: Lane) -> None:
    seen: list[str] = []

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            seen.append("generator closed")

    async def begin() -> None:
        asyncio.create_task(background())  # noqa: RUF006 - nobody awaits it
        generator = numbers()
        await anext(generator)
        kept.append(generator)
        await asyncio.sleep(0)

    async def background() -> None:
        try:
            await forever()
        finally:
            seen.append("task cancelled")

    kept: list[Any] = []
    ride(lane, begin).wait()
    lane.stop(time.monotonic() + WATCHDOG_S)
    assert sorted(seen) == ["generator closed", "task cancelled"]


def test_nothing_can_ride_after_the_stop(lane: Lane) -> None:
    ride(lane, soon).wait()
    lane.stop(time.monotonic() + WATCHDOG_S)
    with pytest.raises(Shutdown):
        lane.submit(Trip(lane, soon))


def test_a_stop_does_not_wait_beyond_its_deadline_for_a_task_that_blocks(lane: Lane) -> None:
    entered, leave = threading.Event(), threading.Event()

    async def block() -> None:
        entered.set()
        leave.wait(WATCHDOG_S)

    trip = ride(lane, block)
    assert entered.wait(WATCHDOG_S)
    lane.stop(time.monotonic() + 0.05)
    assert not trip.over.is_set()
    leave.set()
    trip.wait()


def test_a_task_that_refuses_to_be_cancelled_does_not_keep_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pillion.server.lane.CLEAN_UP_S", 0.05)
    entered, lane = threading.Event(), Lane("asyncio")

    async def refuse() -> None:
        entered.set()
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    ride(lane, refuse)
    assert entered.wait(WATCHDOG_S)
    lane.stop(time.monotonic() + WATCHDOG_S)
    assert "pillion.loop" not in [thread.name for thread in threading.enumerate()]


def test_a_loop_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pillion\[uvloop\]"):
        Lane("uvloop")
    loop = new_loop("auto")
    assert type(loop).__module__.startswith("asyncio")
    loop.close()


# -- the watch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answered", "slept_s", "held_s", "verdict"),
    [
        (True, LOOK_EVERY_S, 10.0, Verdict.ALIVE),
        (False, LOOK_EVERY_S, LATE_S, Verdict.WAIT),
        (False, LOOK_EVERY_S, LATE_S + 0.001, Verdict.STUCK),
        (False, LOOK_EVERY_S + OVERSLEPT_S + 0.001, 10.0, Verdict.UNFAIR),
        (True, 10.0, 10.0, Verdict.ALIVE),
    ],
)
def test_a_loop_is_stuck_if_it_stays_in_one_task_while_the_watch_is_awake(
    *, answered: bool, slept_s: float, held_s: float, verdict: Verdict
) -> None:
    assert judge(answered=answered, slept_s=slept_s, held_s=held_s) is verdict


def test_time_that_a_thread_waits_for_a_processor_is_known_or_counts_as_none() -> None:
    assert waited_for_processor_s(threading.get_native_id()) >= 0.0
    assert waited_for_processor_s(2**22 + 1) == 0.0


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "stood still" in message]


def block_until_it_is_said(caplog: pytest.LogCaptureFixture, count: int) -> None:
    deadline = time.monotonic() + WATCHDOG_S
    while len(reports(caplog)) < count and time.monotonic() < deadline:
        time.sleep(0.3)  # in one call each time: this is what is to be found


def test_a_job_that_blocks_the_loop_is_named_once_with_its_stack(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    async def careless() -> None:
        block_until_it_is_said(caplog, 1)

    ride(lane, careless, "Export").wait()
    ride(lane, careless, "Export").wait()
    assert len(reports(caplog)) == 1
    assert "in Export." in reports(caplog)[0]
    assert "block_until_it_is_said(caplog, 1)" in reports(caplog)[0]


def test_each_class_that_blocks_is_named(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(["Export", "Import"], start=1):

        async def careless(number: int = number) -> None:
            block_until_it_is_said(caplog, number)

        ride(lane, careless, name).wait()
    assert ["in Export." in reports(caplog)[0], "in Import." in reports(caplog)[1]] == [True, True]


def test_a_task_of_a_job_that_blocks_is_found_too(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    async def child() -> None:
        block_until_it_is_said(caplog, 1)

    async def parent() -> None:
        await asyncio.create_task(child())

    ride(lane, parent, "Parent").wait()
    assert "child" in reports(caplog)[0]


def test_a_loop_with_much_to_do_blames_none_of_its_tasks(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    """Together they hold it up for a second, but none of them does."""

    async def short() -> None:
        time.sleep(0.02)  # noqa: ASYNC251 - it blocks, for less than is too long

    trips = [ride(lane, short, f"Short{n}") for n in range(50)]
    for trip in trips:
        trip.wait()
    assert reports(caplog) == []


def test_a_loop_that_waits_is_not_reported(lane: Lane, caplog: pytest.LogCaptureFixture) -> None:
    async def patient() -> None:
        await asyncio.sleep(5 * LATE_S)

    ride(lane, patient).wait()
    assert reports(caplog) == []


# -- the dump ----------------------------------------------------------------------------------------


async def innermost(gate: asyncio.Event) -> None:
    await gate.wait()


async def outer(gate: asyncio.Event) -> None:
    await innermost(gate)


def test_the_dump_shows_the_whole_chain_of_coroutines() -> None:
    async def look() -> str:
        gate = asyncio.Event()
        task = asyncio.create_task(outer(gate))
        await asyncio.sleep(0)
        text = stack_of(task.get_coro())
        gate.set()
        await task
        return text

    text = asyncio.run(look())
    assert text.index("await innermost(gate)") < text.index("await gate.wait()") < text.index("in wait")


def test_tasks_that_wait_at_the_same_place_are_told_together() -> None:
    async def look() -> list[str]:
        gate = asyncio.Event()
        tasks = [asyncio.create_task(outer(gate)) for _ in range(NAMED + 2)]
        await asyncio.sleep(0)
        texts = describe_tasks([TaskView("Export", f"j{n}", task.get_coro()) for n, task in enumerate(tasks)])
        gate.set()
        await asyncio.gather(*tasks)
        return texts

    [text] = asyncio.run(look())
    assert text.splitlines()[0] == f"{NAMED + 2} tasks Export: j0, j1, j2, j3, j4 and 2 more"


def test_a_task_alone_is_told_by_its_own_name() -> None:
    assert describe_tasks([TaskView("Export", "j1", None)]) == ["Task Export j1\n<no stack available>"]


def test_the_lane_tells_of_its_rides(lane: Lane) -> None:
    gate = threading.Event()

    async def wait() -> None:
        gate.set()
        await forever()

    trip = ride(lane, wait, "Export")
    assert gate.wait(WATCHDOG_S)
    while "await forever()" not in "".join(lane.describe()):
        time.sleep(0.01)  # it may still be on its way to the first await
    assert lane.describe()[0].startswith("Task Export c9f6\n")
    lane.cancel(trip)
    trip.wait()


# -- the time limit ----------------------------------------------------------------------------------


def test_what_ends_in_time_gives_its_result() -> None:
    assert asyncio.run(within(soon(), WATCHDOG_S, "Export")) == "MainThread"


def test_what_takes_too_long_is_cancelled_and_the_error_says_who_and_how_long() -> None:
    cleaned: list[bool] = []

    async def slow() -> None:
        try:
            await forever()
        finally:
            cleaned.append(True)

    with pytest.raises(TimeoutError, match=r"Export was cancelled after 0\.01 s, as its timeout_s says"):
        asyncio.run(within(slow(), 0.01, "Export"))
    assert cleaned == [True]


def test_a_timeout_of_its_own_stays_as_it_is() -> None:
    async def own() -> None:
        raise TimeoutError("the bank did not answer")

    with pytest.raises(TimeoutError, match="the bank did not answer"):
        asyncio.run(within(own(), WATCHDOG_S, "Export"))


def test_a_cancellation_from_elsewhere_is_not_taken_for_the_limit() -> None:
    async def main() -> None:
        task = asyncio.create_task(within(forever(), WATCHDOG_S, "Export"))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
