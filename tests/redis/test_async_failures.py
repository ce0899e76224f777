"""Async jobs that fail, take too long, are suspected or paused: what becomes of them."""

from __future__ import annotations

import asyncio
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
from pillion.storage.ops import pause
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
