"""How async jobs end when their process does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from engine import Engine, payload, until
from redis_process import RedisProcess

from pillion.config import RedisConfig
from pillion.errors import Shutdown
from pillion.storage.connect import open_target
from pillion.storage.sync import Storage
from pillion.storage.target import resolve_url

WATCHDOG_S = 20.0


@pytest.fixture
def engine(storage: Storage) -> Iterator[Engine]:
    engine = Engine(storage)
    yield engine
    engine.stop(0.0)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is interrupted may take its time to end: a stop waits for it, and the machine may be slow."""
    monkeypatch.setattr("pillion.server.manager.INTERRUPT_GRACE_S", WATCHDOG_S)


def begun(engine: Engine, raw: redis.Redis, perform: Any, *, count: int = 1, **options: Any) -> list[bytes]:
    """Start the engine with so many jobs of that `perform`; returns them once all run."""
    inside = threading.Semaphore(0)

    async def noted() -> None:
        inside.release()
        await perform()

    engine.config.concurrency = max(count, 2)
    engine.job("Run", noted, is_async=True, **options)
    jobs = [payload("Run", jid=f"{n:024d}") for n in range(count)]
    raw.lpush("queue:default", *jobs)
    engine.start()
    for _ in range(count):
        assert inside.acquire(timeout=WATCHDOG_S)
    return jobs


async def forever() -> None:
    await asyncio.Event().wait()


def test_quiet_lets_running_async_jobs_end_and_takes_no_other(engine: Engine, raw: redis.Redis) -> None:
    leave = threading.Event()

    async def wait() -> None:
        while not leave.is_set():  # noqa: ASYNC110 - it is another thread that opens it
            await asyncio.sleep(0.005)

    begun(engine, raw, wait, count=20)
    assert engine.manager is not None
    engine.manager.quiet()
    raw.lpush("queue:default", payload("Run"))
    leave.set()
    until(lambda: raw.get("stat:processed") == b"20")
    engine.stop()
    assert raw.lrange("queue:default", 0, -1) == [payload("Run")]
    assert not raw.exists(engine.inflight())


def test_a_quiet_process_whose_thread_waited_for_a_slot_calls_off_its_moves(engine: Engine, raw: redis.Redis) -> None:
    begun(engine, raw, forever, count=2)  # all slots are taken: the only thread waits for one
    assert engine.manager is not None
    engine.manager.quiet()
    until(lambda: not [thread for thread in threading.enumerate() if "processor" in thread.name])
    raw.lpush("queue:default", payload("Run"))
    engine.stop(within_s=0.05)
    assert raw.lindex("queue:default", 0) == payload("Run")
    assert raw.llen("queue:default") == 3
    assert not raw.exists(engine.inflight(), engine.waiting())


def test_at_the_deadline_async_jobs_are_back_at_the_head_of_their_queue_unchanged(
    engine: Engine, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = begun(engine, raw, forever, count=30)
    raw.lpush("queue:default", payload("Next"))
    engine.stop(within_s=0.05)
    back = raw.lrange("queue:default", 0, -1)[::-1]
    assert sorted(back[:30]) == jobs
    assert back[30:] == [payload("Next")]
    assert not raw.exists(engine.inflight(), "retry", "stat:processed", "stat:failed")
    assert "handing back 30 unfinished jobs: Run" in caplog.text


def test_the_job_gets_a_cancelled_error_and_may_clean_up(engine: Engine, raw: redis.Redis) -> None:
    seen: list[str] = []

    async def clean() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")
            raise

    [job] = begun(engine, raw, clean)
    engine.stop(within_s=0.05)
    assert seen == ["cleaned up"]
    assert raw.lrange("queue:default", 0, -1) == [job]


def test_middleware_sees_a_shutdown_as_around_a_sync_job(engine: Engine, raw: redis.Redis) -> None:
    seen: list[type] = []

    def note(job: Any, job_payload: Any, queue: str) -> Iterator[None]:
        try:
            yield
        except BaseException as exc:
            seen.append(type(exc))
            raise

    def plain(job: Any, job_payload: Any, queue: str, next_: Any) -> Any:
        try:
            return next_()
        except BaseException as exc:
            seen.append(type(exc))
            raise

    for each in (plain, note):
        engine.config.server_middleware.add(each)
    [job] = begun(engine, raw, forever)
    engine.stop(within_s=0.05)
    assert seen == [Shutdown, Shutdown]
    assert raw.lrange("queue:default", 0, -1) == [job]


def test_an_interrupted_job_is_not_logged_as_failed(
    engine: Engine, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="pillion")
    begun(engine, raw, forever)
    engine.stop(within_s=0.05)
    assert [record.message for record in caplog.records if record.message in ("start", "done", "fail")] == ["start"]


def test_a_job_that_turns_its_cancellation_into_an_error_is_not_retried(engine: Engine, raw: redis.Redis) -> None:
    async def turn() -> None:
        try:
            await forever()
        except asyncio.CancelledError as exc:
            raise ValueError("gave up") from exc

    [job] = begun(engine, raw, turn)
    engine.stop(within_s=0.05)
    assert not raw.exists("retry", "stat:failed")
    assert raw.lrange("queue:default", 0, -1) == [job]


def test_a_job_whose_loop_ends_while_redis_hangs_has_not_failed(
    own_redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop waits for no capsule longer than its time: it cancels what one has not come to interrupt yet."""
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    engine = Engine(storage)
    with own_redis.client() as raw:
        [job] = begun(engine, raw, forever)
        manager = engine.manager
        assert manager is not None
        own_redis.pause()
        audit = threading.Thread(target=manager.audit)  # the heartbeat's: it is in the way of the word that gives back
        audit.start()
        until(manager._fetcher._leases._lock.locked)
        stop = threading.Thread(target=engine.stop, args=(0.0,))
        stop.start()
        until(lambda: "handing back 1 unfinished jobs" in caplog.text)
        manager._lane.stop(time.monotonic() + WATCHDOG_S)
        until(lambda: not manager.busy())
        own_redis.resume()
        audit.join()
        stop.join()
        until(lambda: raw.lrange("queue:default", 0, -1) == [job])
        assert not raw.exists("retry", "stat:failed")
    storage.close()


def test_a_job_that_ends_well_in_spite_of_its_cancellation_changes_nothing_any_more(
    engine: Engine, raw: redis.Redis
) -> None:
    """It was handed back before: at least once."""
    ended = threading.Event()

    async def late() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            ended.set()

    [job] = begun(engine, raw, late)
    engine.stop(within_s=0.05)
    assert ended.is_set()
    assert raw.lrange("queue:default", 0, -1) == [job]
    assert not raw.exists("stat:processed")


def test_a_job_that_swallows_its_cancellation_does_not_stop_the_stop(
    engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pillion.server.manager.INTERRUPT_GRACE_S", 0.1)
    leave = threading.Event()

    async def stubborn() -> None:
        while not leave.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    [job] = begun(engine, raw, stubborn)
    engine.stop(within_s=0.05)
    assert raw.lrange("queue:default", 0, -1) == [job]
    leave.set()


def test_a_job_that_blocks_the_loop_does_not_stop_the_stop(
    engine: Engine, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pillion.server.manager.INTERRUPT_GRACE_S", 0.1)
    leave = threading.Event()

    async def block() -> None:
        leave.wait(WATCHDOG_S)

    [job] = begun(engine, raw, block)
    engine.stop(within_s=0.05)
    assert raw.lrange("queue:default", 0, -1) == [job]
    leave.set()


def test_at_the_deadline_sync_and_async_jobs_are_interrupted_side_by_side(engine: Engine, raw: redis.Redis) -> None:
    seen: list[str] = []

    inside = threading.Semaphore(0)

    def endless() -> None:
        try:
            inside.release()
            while True:
                time.sleep(0.001)
        except Shutdown:
            seen.append("thread")
            raise

    async def patient() -> None:
        try:
            inside.release()
            await forever()
        finally:
            seen.append("task")

    engine.config.concurrency = 10
    engine.job("Endless", endless)
    engine.job("Patient", patient, is_async=True)
    raw.lpush("queue:default", *[payload("Endless"), payload("Patient")] * 4)
    engine.start()
    for _ in range(8):
        assert inside.acquire(timeout=WATCHDOG_S)
    engine.stop(within_s=0.05)
    assert sorted(seen) == ["task"] * 4 + ["thread"] * 4
    assert raw.llen("queue:default") == 8
    assert not raw.exists(engine.inflight(), "retry")


def test_an_async_function_behind_a_plain_wrapper_is_interrupted_too(engine: Engine, raw: redis.Redis) -> None:
    entered, seen = threading.Event(), []

    async def inner() -> None:
        try:
            entered.set()
            await forever()
        finally:
            seen.append("cancelled")

    engine.job("Wrapped", lambda: inner(), is_async=False)
    raw.lpush("queue:default", payload("Wrapped"))
    engine.start()
    assert entered.wait(WATCHDOG_S)
    engine.stop(within_s=0.05)
    assert seen == ["cancelled"]
    assert raw.lrange("queue:default", 0, -1) == [payload("Wrapped")]
    assert not raw.exists("retry")


def test_what_is_settled_aside_when_the_process_stops_is_settled(engine: Engine, raw: redis.Redis) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow_hook(count: int, exc: BaseException, job: dict[str, Any]) -> int:
        entered.set()
        leave.wait(WATCHDOG_S)
        return 60

    async def fail() -> None:
        raise LookupError("always")

    engine.job("Fail", fail, is_async=True, retry_in=slow_hook)
    raw.lpush("queue:default", payload("Fail"))
    engine.start()
    assert entered.wait(WATCHDOG_S)
    assert engine.manager is not None
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    until(lambda: engine.manager is not None and engine.manager._stopping.is_set())
    leave.set()
    stopping.join(WATCHDOG_S)
    assert raw.zcard("retry") == 1
    assert not raw.exists(engine.inflight(), "queue:default")


def test_a_stopped_engine_leaves_no_thread_of_its_own(engine: Engine, raw: redis.Redis) -> None:
    async def short() -> None:
        await asyncio.sleep(0.001)

    engine.job("Short", short, is_async=True)
    raw.lpush("queue:default", *[payload("Short")] * 50)
    engine.start()
    until(lambda: raw.get("stat:processed") == b"50")
    engine.stop()
    ours = ("pillion.default.processor", "pillion.loop")
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(ours)])
    assert [key for key in raw.keys("*") if engine.identity.encode() in key] == []
