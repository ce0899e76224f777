"""Async jobs of one process: they share an event loop, and count like all others."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from engine import Engine, payload, until

from pillion import log
from pillion.config import QueueSpec
from pillion.server.lane import Lane
from pillion.server.manager import Manager
from pillion.server.outcome import Done
from pillion.server.reporter import Reporter
from pillion.server.runtime import Runtime
from pillion.storage.ops import pause
from pillion.storage.sync import Storage

WATCHDOG_S = 20.0


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage)
    yield engine
    engine.stop(0.0)


class Gate:
    """Where async jobs wait until the test lets them go. It counts who is in."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.threads: set[str] = set()
        self._open = threading.Event()

    async def wait(self, *_: Any) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.threads.add(threading.current_thread().name)
        try:
            while not self._open.is_set():  # noqa: ASYNC110 - it is another thread that opens it
                await asyncio.sleep(0.005)
        finally:
            self.inside -= 1

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def processed(raw: redis.Redis, count: int) -> None:
    until(lambda: raw.get("stat:processed") == b"%d" % count, f"{count} processed")


def processor_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pillion.default.processor")]


# -- how many, and where -----------------------------------------------------------------------------


def test_as_many_async_jobs_run_at_a_time_as_there_are_slots(engine: Engine, raw: redis.Redis, gate: Gate) -> None:
    engine.config.concurrency = 20
    engine.job("Wait", gate.wait, is_async=True)
    raw.lpush("queue:default", *[payload("Wait", n) for n in range(50)])
    engine.start()
    until(lambda: gate.inside == 20)
    assert engine.manager is not None
    assert engine.manager.busy() == 20
    gate.open()
    processed(raw, 50)
    assert gate.most == 20
    assert gate.threads == {"pillion.loop"}


def test_a_process_of_async_jobs_has_a_handful_of_threads(engine: Engine, raw: redis.Redis, gate: Gate) -> None:
    engine.config.concurrency = 500
    engine.job("Wait", gate.wait, is_async=True)
    raw.lpush("queue:default", *[payload("Wait", n) for n in range(600)])
    engine.start()
    until(lambda: gate.inside == 500)
    assert processor_threads() == ["pillion.default.processor-1"]
    gate.open()
    processed(raw, 600)


def test_sync_and_async_jobs_share_one_count_of_slots(engine: Engine, raw: redis.Redis, gate: Gate) -> None:
    leave, inside = threading.Event(), threading.Semaphore(0)
    engine.config.concurrency = 8
    engine.job("Wait", gate.wait, is_async=True)
    engine.job("Block", lambda: (inside.release(), leave.wait(WATCHDOG_S)))
    raw.lpush("queue:default", *[payload("Wait"), payload("Block")] * 10)
    engine.start()
    assert engine.manager is not None
    until(lambda: engine.manager.busy() == 8)
    time.sleep(0.1)  # for a ninth, if there were a way
    blocked = sum(inside.acquire(timeout=0) for _ in range(20))
    assert gate.inside + blocked == 8
    leave.set()
    gate.open()
    processed(raw, 20)


def test_a_slot_that_an_async_job_gives_back_is_used_although_all_threads_are_in_sync_jobs(
    engine: Engine, raw: redis.Redis, gate: Gate
) -> None:
    leave, inside = threading.Event(), threading.Semaphore(0)
    engine.config.concurrency = 3
    engine.job("Wait", gate.wait, is_async=True)
    engine.job("Block", lambda: (inside.release(), leave.wait(WATCHDOG_S)))
    raw.lpush("queue:default", payload("Wait"))
    engine.start()
    until(lambda: gate.inside == 1)
    raw.lpush("queue:default", *[payload("Block")] * 3)
    for _ in range(2):
        assert inside.acquire(timeout=WATCHDOG_S)
    gate.open()  # the third begins with the slot that comes free now
    assert inside.acquire(timeout=WATCHDOG_S)
    leave.set()
    processed(raw, 4)


def test_threads_are_started_as_sync_jobs_need_them(engine: Engine, raw: redis.Redis) -> None:
    leave, inside = threading.Event(), threading.Semaphore(0)
    engine.config.concurrency = 50
    engine.job("Block", lambda: (inside.release(), leave.wait(WATCHDOG_S)))
    engine.start()
    until(lambda: raw.info("clients")["blocked_clients"] == 1)
    assert len(processor_threads()) == 1
    raw.lpush("queue:default", *[payload("Block")] * 7)
    for _ in range(7):
        assert inside.acquire(timeout=WATCHDOG_S)
    assert len(processor_threads()) <= 8
    leave.set()
    processed(raw, 7)


def test_one_job_at_a_time_also_with_async_jobs(engine: Engine, raw: redis.Redis) -> None:
    inside, seen = [0], []

    async def look(number: int) -> None:
        inside[0] += 1
        seen.append((number, inside[0]))
        await asyncio.sleep(0.001)
        inside[0] -= 1

    engine.config.concurrency = 1
    engine.job("Look", look, is_async=True)
    raw.lpush("queue:default", *[payload("Look", n) for n in range(30)])
    engine.start()
    processed(raw, 30)
    assert seen == [(n, 1) for n in range(30)]


def test_two_capsules_share_the_loop(storage: Storage, raw: redis.Redis) -> None:
    engine, idents, done = Engine(storage), set(), threading.Semaphore(0)

    async def note() -> None:
        idents.add(threading.get_ident())
        done.release()

    engine.job("Note", note, is_async=True)
    engine.config.capsule("other").queues = [QueueSpec("other")]
    runtime = Runtime(engine.config, storage, engine.identity, engine.registry, None, Reporter(engine.config))  # type: ignore[arg-type]
    lane = Lane()
    managers = [Manager(runtime, capsule, lane=lane) for capsule in engine.config.capsules.values()]
    for manager in managers:
        manager.start()
    raw.lpush("queue:default", payload("Note"))
    raw.lpush("queue:other", payload("Note"))
    for _ in range(2):
        assert done.acquire(timeout=WATCHDOG_S)
    for manager in managers:
        manager.stop(time.monotonic() + WATCHDOG_S)
    lane.stop(time.monotonic() + WATCHDOG_S)
    assert len(idents) == 1


# -- what others see ---------------------------------------------------------------------------------


def test_running_async_jobs_are_in_the_work_of_the_process_each_with_a_name_of_its_own(
    engine: Engine, raw: redis.Redis, gate: Gate
) -> None:
    engine.config.concurrency = 10
    engine.job("Wait", gate.wait, is_async=True)
    raw.lpush("queue:default", *[payload("Wait", n) for n in range(10)])
    engine.start()
    until(lambda: gate.inside == 10)
    assert engine.manager is not None
    work = engine.manager.work()
    assert len({entry.tid for entry in work}) == 10
    assert sorted(json.loads(entry.raw)["args"][0] for entry in work) == list(range(10))
    assert {entry.queue for entry in work} == {"default"}
    assert all(entry.run_at >= time.time() - 60 for entry in work)
    gate.open()
    processed(raw, 10)
    until(lambda: engine.manager.work() == [])


def test_a_finished_async_job_is_acknowledged_although_no_other_comes(
    engine: Engine, raw: redis.Redis, gate: Gate
) -> None:
    """The only thread sleeps on the idle queue by then, for seconds."""
    engine.job("Wait", gate.wait, is_async=True)
    engine.start()
    raw.lpush("queue:default", payload("Wait"))
    until(lambda: gate.inside == 1)
    until(lambda: raw.info("clients")["blocked_clients"] == 1)
    gate.open()
    processed(raw, 1)
    assert raw.info("clients")["blocked_clients"] == 1
    assert not raw.exists(engine.inflight())


def test_the_lines_of_a_job_have_its_name_and_those_of_its_neighbours_theirs(
    engine: Engine, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    seen: dict[int, set[tuple[Any, ...]]] = {}

    async def look(number: int) -> None:
        for _ in range(3):
            seen.setdefault(number, set()).add((log.context()["jid"], log.tid()))
            await asyncio.sleep(0.001)

    engine.config.concurrency = 4
    engine.job("Look", look, is_async=True)
    raw.lpush("queue:default", *[payload("Look", n, jid=f"j{n}") for n in range(4)])
    engine.start()
    processed(raw, 4)
    assert {number: len(names) for number, names in seen.items()} == dict.fromkeys(range(4), 1)
    assert {number: next(iter(names))[0] for number, names in seen.items()} == {n: f"j{n}" for n in range(4)}


def test_start_and_done_are_logged(engine: Engine, raw: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="pillion")

    async def fine() -> None:
        await asyncio.sleep(0)

    async def broken() -> None:
        raise LookupError("broken")

    engine.config.concurrency = 1
    for name, perform in (("Fine", fine), ("Broken", broken)):
        engine.job(name, perform, is_async=True)
    raw.lpush("queue:default", payload("Fine"), payload("Broken"))
    engine.start()
    processed(raw, 2)
    lines = [record.message for record in caplog.records if record.message in ("start", "done", "fail")]
    assert lines == ["start", "done", "start", "fail"]


def test_observers_are_told_of_each_run(engine: Engine, raw: redis.Redis) -> None:
    told: list[tuple[Any, bool, type | None]] = []
    engine.config.observers.append(
        lambda job, elapsed_s, error: told.append((job["class"], elapsed_s > 0, type(error)))
    )

    async def fine() -> None:
        await asyncio.sleep(0.001)

    async def broken() -> None:
        await asyncio.sleep(0.001)
        raise LookupError("broken")

    engine.job("Fine", fine, is_async=True)
    engine.job("Broken", broken, is_async=True)
    raw.lpush("queue:default", payload("Fine"), payload("Broken"))
    engine.start()
    processed(raw, 2)
    assert sorted(told, key=str) == [("Broken", True, LookupError), ("Fine", True, type(None))]


def test_effects_are_carried_out_with_the_outcome(engine: Engine, raw: redis.Redis) -> None:
    def count(job: dict[str, Any], outcome: Any) -> list[tuple[Any, ...]]:
        return [("INCR", "ended-well" if isinstance(outcome, Done) else "ended-badly")]

    async def end(well: bool) -> None:
        if not well:
            raise LookupError("badly")

    engine.config.effects.append(count)
    engine.job("End", end, is_async=True)
    raw.lpush("queue:default", *[payload("End", n % 2 == 0) for n in range(6)])
    engine.start()
    processed(raw, 6)
    assert (raw.get("ended-well"), raw.get("ended-badly")) == (b"3", b"3")


# -- contexts ----------------------------------------------------------------------------------------

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_no_job_sees_the_context_variables_of_another(engine: Engine, raw: redis.Redis) -> None:
    seen: list[str] = []

    async def look(number: int) -> None:
        seen.append(VARIABLE.get())
        VARIABLE.set(f"left by {number}")
        await asyncio.sleep(0.001)
        seen.append(VARIABLE.get())

    engine.job("Look", look, is_async=True)
    raw.lpush("queue:default", *[payload("Look", n) for n in range(10)])
    engine.start()
    processed(raw, 10)
    assert sorted(seen) == sorted(["unset"] * 10 + [f"left by {n}" for n in range(10)])


def test_tasks_of_a_job_see_its_context(engine: Engine, raw: redis.Redis) -> None:
    seen: list[tuple[str, Any]] = []

    async def child() -> None:
        seen.append((VARIABLE.get(), log.context()["jid"]))

    async def parent() -> None:
        VARIABLE.set("parent's")
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    engine.job("Parent", parent, is_async=True)
    raw.lpush("queue:default", payload("Parent", jid="j1"))
    engine.start()
    processed(raw, 1)
    assert seen == [("parent's", "j1")]


# -- middleware --------------------------------------------------------------------------------------


def test_all_kinds_of_middleware_work_around_async_jobs_and_see_their_context(engine: Engine, raw: redis.Redis) -> None:
    order: list[str] = []

    def plain(job: Any, job_payload: Any, queue: str, next_: Any) -> Any:
        order.append("plain")
        VARIABLE.set("from middleware")
        result = next_()
        order.append("plain, after")
        return result

    def stepped(job: Any, job_payload: Any, queue: str) -> Iterator[None]:
        order.append("generator")
        yield
        order.append("generator, after")

    async def coroutine(job: Any, job_payload: Any, queue: str, next_: Any) -> Any:
        order.append("coroutine")
        result = await next_()
        order.append("coroutine, after")
        return result

    async def perform() -> None:
        await asyncio.sleep(0)
        order.append(f"job, {VARIABLE.get()}")

    for each in (plain, stepped, coroutine):
        engine.config.server_middleware.add(each)
    engine.job("Run", perform, is_async=True)
    raw.lpush("queue:default", payload("Run"))
    engine.start()
    processed(raw, 1)
    assert order == [
        "plain",
        "generator",
        "coroutine",
        "job, from middleware",
        "coroutine, after",
        "generator, after",
        "plain, after",
    ]


def test_an_async_function_behind_a_plain_wrapper_is_awaited_inside_of_middleware_too(
    engine: Engine, raw: redis.Redis
) -> None:
    order: list[str] = []

    def stepped(job: Any, job_payload: Any, queue: str) -> Iterator[None]:
        order.append(f"before {VARIABLE.get()}")
        VARIABLE.set("set")
        yield
        order.append("after")

    async def inner() -> None:
        await asyncio.sleep(0.01)
        order.append(f"{threading.current_thread().name} {VARIABLE.get()}")

    engine.config.server_middleware.add(stepped)
    engine.job("Wrapped", lambda: inner(), is_async=False)
    raw.lpush("queue:default", payload("Wrapped"))
    engine.start()
    processed(raw, 1)
    assert order == ["before unset", "pillion.loop set", "after"]


def test_an_error_of_an_async_function_behind_a_plain_wrapper_is_retried(engine: Engine, raw: redis.Redis) -> None:
    async def inner() -> None:
        raise LookupError("inside")

    engine.job("Wrapped", lambda: inner(), is_async=False)
    raw.lpush("queue:default", payload("Wrapped"))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "LookupError"


# -- failures ----------------------------------------------------------------------------------------


def retried(raw: redis.Redis) -> dict[str, Any]:
    until(lambda: raw.zcard("retry") == 1)
    found: dict[str, Any] = json.loads(raw.zrange("retry", 0, 0)[0])
    return found


def test_a_job_that_takes_longer_than_its_limit_is_cancelled_and_retried(engine: Engine, raw: redis.Redis) -> None:
    cleaned: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.append("up")

    engine.job("Slow", slow, is_async=True, timeout_s=0.05)
    raw.lpush("queue:default", payload("Slow"))
    engine.start()
    found = retried(raw)
    assert cleaned == ["up"]
    assert found["error_class"] == "TimeoutError"
    assert found["error_message"] == "Slow was cancelled after 0.05 s, as its timeout_s says"
    assert raw.get("stat:failed") == b"1"


def test_the_limit_in_the_payload_goes_before_that_of_the_job(engine: Engine, raw: redis.Redis) -> None:
    async def slow() -> None:
        await asyncio.sleep(3600)

    engine.job("Slow", slow, is_async=True, timeout_s=3600)
    raw.lpush("queue:default", payload("Slow", timeout_s=0.05))
    engine.start()
    assert "after 0.05 s" in retried(raw)["error_message"]


def test_middleware_sees_the_time_limit_as_a_timeout_error(engine: Engine, raw: redis.Redis) -> None:
    seen: list[type] = []

    def note(job: Any, job_payload: Any, queue: str) -> Iterator[None]:
        try:
            yield
        except BaseException as exc:
            seen.append(type(exc))
            raise

    async def slow() -> None:
        await asyncio.sleep(3600)

    engine.config.server_middleware.add(note)
    engine.job("Slow", slow, is_async=True, timeout_s=0.05)
    raw.lpush("queue:default", payload("Slow"))
    engine.start()
    retried(raw)
    assert seen == [TimeoutError]


def test_a_cancelled_error_that_nobody_sent_is_an_error_like_any_other(engine: Engine, raw: redis.Redis) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError("by a library")

    engine.job("Cancelled", cancelled, is_async=True)
    raw.lpush("queue:default", payload("Cancelled"))
    engine.start()
    assert retried(raw)["error_class"] == "asyncio.exceptions.CancelledError"
    assert not raw.exists(engine.inflight())


def test_a_job_that_cancels_itself_fails_and_its_slot_comes_back(engine: Engine, raw: redis.Redis) -> None:
    async def cancel_myself(again: bool) -> None:
        task = asyncio.current_task()
        assert task is not None
        if again:
            task.cancel()
            await asyncio.sleep(0)

    engine.config.concurrency = 1
    engine.job("Cancel", cancel_myself, is_async=True)
    raw.lpush("queue:default", payload("Cancel", True), payload("Cancel", False))
    engine.start()
    processed(raw, 2)
    assert raw.zcard("retry") == 1


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_an_async_job_raises_it_is_retried_and_the_loop_goes_on(
    engine: Engine, raw: redis.Redis, error: BaseException
) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def fine() -> None: ...

    engine.job("Fail", fail, is_async=True)
    engine.job("Fine", fine, is_async=True)
    raw.lpush("queue:default", payload("Fail"), payload("Fine"))
    engine.start()
    processed(raw, 2)
    assert retried(raw)["error_class"] == type(error).__name__


def test_a_task_of_a_job_that_exits_fails_its_job_only(engine: Engine, raw: redis.Redis) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def parent() -> None:
        await asyncio.create_task(leave())

    engine.job("Parent", parent, is_async=True)
    raw.lpush("queue:default", payload("Parent"))
    engine.start()
    assert retried(raw)["error_class"] == "SystemExit"


def test_hooks_and_handlers_may_block_while_other_jobs_go_on(engine: Engine, raw: redis.Redis) -> None:
    """They are sync code of the application: an error tracker, a mail to somebody."""
    entered, leave, ran = threading.Event(), threading.Event(), threading.Event()

    def block(count: int, exc: BaseException, job: dict[str, Any]) -> int:
        entered.set()
        leave.wait(WATCHDOG_S)
        return 60

    async def fail() -> None:
        raise LookupError("always")

    async def fine() -> None:
        ran.set()

    engine.config.concurrency = 2
    engine.job("Fail", fail, is_async=True, retry_in=block)
    engine.job("Fine", fine, is_async=True)
    engine.start()
    raw.lpush("queue:default", payload("Fail"))
    assert entered.wait(WATCHDOG_S)
    raw.lpush("queue:default", payload("Fine"))
    assert ran.wait(WATCHDOG_S)
    leave.set()
    processed(raw, 2)


def test_a_hook_that_logs_does_so_with_the_facts_of_its_job(engine: Engine, raw: redis.Redis) -> None:
    seen: list[Any] = []

    def look(count: int, exc: BaseException, job: dict[str, Any]) -> None:
        seen.append(log.context()["jid"])

    async def fail() -> None:
        raise LookupError("always")

    engine.job("Fail", fail, is_async=True, retry_in=look)
    raw.lpush("queue:default", payload("Fail", jid="j1"))
    engine.start()
    retried(raw)
    assert seen == ["j1"]


def test_an_error_handler_that_fails_costs_no_slot(engine: Engine, raw: redis.Redis) -> None:
    def fail_too(*_: Any) -> None:
        raise ValueError("the handler")

    async def fail() -> None:
        raise LookupError("always")

    engine.config.concurrency = 1
    engine.config.error_handlers[:] = [fail_too]
    engine.job("Fail", fail, is_async=True)
    raw.lpush("queue:default", *[payload("Fail", n) for n in range(5)])
    engine.start()
    processed(raw, 5)
    until(lambda: engine.manager is not None and engine.manager.busy() == 0)


def test_arguments_that_do_not_fit_fail_as_in_a_thread(engine: Engine, raw: redis.Redis) -> None:
    async def two(one: int, other: int) -> None: ...

    engine.job("Two", two, is_async=True)
    raw.lpush("queue:default", payload("Two", 1))
    engine.start()
    assert retried(raw)["error_class"] == "TypeError"


def test_arguments_that_are_no_list_are_refused_by_name(engine: Engine, raw: redis.Redis) -> None:
    async def none() -> None: ...

    engine.job("None", none, is_async=True)
    raw.lpush("queue:default", json.dumps({"class": "None", "args": {"a": 1}, "jid": "j1", "retry": True}).encode())
    engine.start()
    assert "expected a list of positional arguments" in retried(raw)["error_message"]


# -- caution -----------------------------------------------------------------------------------------


def test_an_async_suspect_runs_alone(engine: Engine, raw: redis.Redis) -> None:
    seen: list[int] = []
    raw.set("pl:recovered:killer", 2)
    raw.sadd("pl:suspects", "killer")

    async def look() -> None:
        for _ in range(5):
            assert engine.manager is not None
            seen.append(engine.manager.busy())
            await asyncio.sleep(0.01)

    async def short(number: int) -> None:
        await asyncio.sleep(0.01)

    engine.config.concurrency = 10
    engine.job("Suspect", look, is_async=True)
    engine.job("Short", short, is_async=True)
    engine.start()
    assert engine.manager is not None
    engine.manager._caution.warn()
    crowd = [payload("Short", n, jid=f"{n:024d}") for n in range(30)]
    raw.lpush("queue:default", *crowd[:15], payload("Suspect", jid="killer"), *crowd[15:])
    processed(raw, 31)
    assert set(seen) == {1}
    until(lambda: not raw.exists("pl:suspects"))


def test_after_a_crash_the_first_async_job_runs_alone(engine: Engine, raw: redis.Redis, gate: Gate) -> None:
    engine.config.concurrency = 5
    engine.job("Wait", gate.wait, is_async=True)
    raw.set("pl:recovered:j0", 1)
    raw.lpush("queue:default", *[payload("Wait", n, jid=f"j{n}") for n in range(5)])
    engine.start(cautious=True)
    until(lambda: gate.inside == 1)
    time.sleep(0.1)  # for a second, if there were a way
    assert (gate.inside, raw.hlen(engine.inflight())) == (1, 1)
    gate.open()
    processed(raw, 5)


# -- pauses ------------------------------------------------------------------------------------------


def test_no_async_job_of_a_paused_queue_begins(engine: Engine, storage: Storage, raw: redis.Redis, gate: Gate) -> None:
    engine.config.concurrency = 3
    engine.job("Wait", gate.wait, is_async=True)
    raw.sadd("paused", "default")
    raw.lpush("queue:default", payload("Wait"))
    engine.start()
    time.sleep(0.2)
    assert gate.inside == 0
    storage.run(pause.unpause("default"))
    until(lambda: gate.inside == 1)
    gate.open()
    processed(raw, 1)
