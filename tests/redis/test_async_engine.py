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
from async_scene import Gate, processed
from engine import Engine, payload, until

from pillion import log
from pillion.config import QueueSpec
from pillion.server.lane import Lane
from pillion.server.manager import Manager
from pillion.server.outcome import Done
from pillion.server.reporter import Reporter
from pillion.server.runtime import Runtime
from pillion.storage.sync import Storage

WATCHDOG_S = 20.0


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage)
    yield engine
    engine.stop(0.0)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


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


def test_nothing_is_kept_of_async_jobs_that_have_ended_well_or_not(engine: Engine, raw: redis.Redis) -> None:
    """Else a process grows with each job, and a cancellation that comes late finds something to cancel."""

    async def fail(*_: object) -> None:
        raise ValueError("no")

    async def end(*_: object) -> None: ...

    engine.job("Fail", fail, is_async=True)
    engine.job("End", end, is_async=True)
    engine.start()
    raw.lpush("queue:default", payload("Fail"), payload("End"))
    processed(raw, 2)
    assert engine.manager._lane._riding == {}


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
