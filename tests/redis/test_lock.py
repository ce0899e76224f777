"""Locks on a real Redis: one holder at a time, released by nobody else, gone by themselves (F110)."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress

import pytest
from engine import Engine, payload, until
from guards import Here, Way

from pillion import default
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, LockNotAcquired, RedisUnavailable, RetryableError, Shutdown
from pillion.jobs.lock import Lock


@pytest.fixture
def home(storage, redis_url):
    return Here(storage, redis_url)


@pytest.fixture(params=["sync", "async"])
def way(request):
    return Way(request.param)


def test_it_is_held_inside_of_the_block_and_free_after_it(home, raw, way):
    def inside():
        assert 299_000 < raw.pttl("pl:lock:payment:1") <= 300_000
        return "done"

    assert way.hold(Lock(home, "payment:1"), inside) == "done"
    assert raw.keys("pl:lock:*") == []


def test_it_is_free_after_an_error_too(home, raw, way):
    with pytest.raises(ZeroDivisionError):
        way.hold(Lock(home, "payment:1"), lambda: 1 / 0)
    assert raw.keys("pl:lock:*") == []


def test_somebody_else_does_not_get_it_and_does_not_disturb(home, raw, way):
    with Lock(home, "payment:1"):
        before = raw.get("pl:lock:payment:1")
        with pytest.raises(LockNotAcquired, match="'payment:1' is held by another run") as caught:
            way.hold(Lock(home, "payment:1"))
        assert (caught.value.key, isinstance(caught.value, RetryableError)) == ("payment:1", True)
        assert raw.get("pl:lock:payment:1") == before
        way.hold(Lock(home, "payment:2"))
    way.hold(Lock(home, "payment:1"))


def test_whoever_is_cancelled_meanwhile_leaves_no_lock_behind(home, raw):
    """At whichever turn of the loop it comes: before the request, while it is under way, when the answer is there."""

    async def hold(key):
        async with Lock(home, key):
            await asyncio.Event().wait()

    async def cancelled_after(turns, key):
        task = asyncio.create_task(hold(key))
        for _ in range(turns):
            await asyncio.sleep(0)
        raw.ping()  # meanwhile the answer may come, but the loop has no turn to look
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not raw.exists(f"pl:lock:{key}")

    async def main():
        async with Lock(home, "warm"):
            pass
        for number in range(300):
            await cancelled_after(number % 15, f"payment:{number}")

    asyncio.run(main())
    assert raw.keys("pl:lock:*") == []


def test_who_is_cancelled_while_it_lets_go_has_let_go(home, raw):
    async def cancelled_after(turns, key):
        async def hold():
            async with Lock(home, key):
                pass

        task = asyncio.create_task(hold())
        while not task.done() and not raw.exists(f"pl:lock:{key}"):  # noqa: ASYNC110 -- the loop's turns are counted
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def main():
        for number in range(300):
            await cancelled_after(number % 10, f"payment:{number}")

    asyncio.run(main())
    assert raw.keys("pl:lock:*") == []


def test_whoever_is_interrupted_as_the_answer_comes_leaves_no_lock_behind(home, raw):
    class Deadline(Here):
        """The exception of the deadline arrives between two bytecodes: here right behind the answer of Redis."""

        def client(self):
            return self

        @property
        def storage(self):
            return self

        def run_all(self, ops):
            replies = home.client().storage.run_all(ops)
            if ops[0].script.name == "lock_take":
                raise Shutdown
            return replies

    with pytest.raises(Shutdown), Lock(object.__new__(Deadline), "payment:1"):
        pass
    assert raw.keys("pl:lock:*") == []


def test_one_object_cannot_be_held_twice_and_stays_held(home, raw, way):
    lock = Lock(home, "payment:1")
    with lock:
        with pytest.raises(LockNotAcquired):
            way.hold(lock)
        assert raw.exists("pl:lock:payment:1")
    assert not raw.exists("pl:lock:payment:1")


def test_only_its_holder_releases_it(home, raw, way, caplog):
    def loses_it():
        raw.set("pl:lock:payment:1", "somebody else")

    with caplog.at_level(logging.WARNING, "pillion"):
        way.hold(Lock(home, "payment:1"), loses_it)
    assert raw.get("pl:lock:payment:1") == b"somebody else"
    assert "The lock 'payment:1' ended after 300 s, before its block did" in caplog.text


def test_it_ends_by_itself(home, raw):
    lost = Lock(home, "payment:1", timeout_s=0.02)
    with lost:
        until(lambda: not raw.exists("pl:lock:payment:1"))
        with Lock(home, "payment:1"), pytest.raises(LockNotAcquired):
            lost.extend()


def test_it_can_be_held_for_longer(home, raw, way):
    lock = Lock(home, "payment:1", timeout_s=10)

    async def extend():
        async with lock:
            await lock.extend_aio(60)
            return raw.pttl("pl:lock:payment:1")

    if way.kind == "sync":
        with lock:
            lock.extend(60)
            left_ms = raw.pttl("pl:lock:payment:1")
            lock.extend()
            assert raw.pttl("pl:lock:payment:1") <= 10_000
    else:
        left_ms = way.run(extend())
    assert 50_000 < left_ms <= 60_000


def test_a_reply_that_was_lost_does_not_lock_us_out(home, raw, storage):
    from pillion.storage.ops.guards import take_lock

    assert [storage.run(take_lock("a", token, 1000)) for token in ("t1", "t1", "t2")] == [True, True, False]


def test_fifty_threads_at_one_lock_never_overlap(home, raw):
    inside, most, got, refused = [], [], [], []

    def work(number):
        try:
            with Lock(home, "one"):
                inside.append(number)
                most.append(len(inside))
                got.append(raw.incr("visits"))
                inside.remove(number)
        except LockNotAcquired:
            refused.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(got) + len(refused) == 50


def test_redis_away_when_it_is_taken_is_an_error_when_it_is_released_a_warning(own_redis, caplog, way):
    config = Config(redis=RedisConfig(url=own_redis.url, timeout_s=0.5))
    default.install(config)
    try:
        with caplog.at_level(logging.WARNING, "pillion"):
            assert way.hold(Lock(default, "a"), lambda: own_redis.stop() or "done") == "done"
        assert "The lock 'a' could not be released" in caplog.text
        with pytest.raises(RedisUnavailable):
            way.hold(Lock(default, "a"))
    finally:
        default.reset()


@pytest.mark.parametrize(
    ("key", "timeout_s"), [("", 1), (5, 1), ("a", 0), ("a", -1), ("a", True), ("a", "1"), ("a", 1e10)]
)
def test_what_cannot_be_right_is_refused(home, key, timeout_s):
    with pytest.raises(ConfigError):
        Lock(home, key, timeout_s)


def test_of_two_jobs_one_runs_and_the_other_is_retried(storage, home, raw):
    engine = Engine(storage)
    entered, leave, ran = threading.Event(), threading.Event(), []

    def charge(number):
        with Lock(home, "payment:1"):
            entered.set()
            assert leave.wait(30)
            ran.append(number)

    engine.job("Charge", charge)
    try:
        raw.lpush("queue:default", payload("Charge", 1), payload("Charge", 2))
        engine.start()
        assert entered.wait(10)
        until(lambda: raw.zcard("retry") == 1)
        leave.set()
        until(lambda: raw.get("stat:processed") == b"2")
        assert len(ran) == 1
        assert [type(exc) for exc, _ in engine.reports] == [LockNotAcquired]
        assert not raw.exists("pl:lock:payment:1")
    finally:
        leave.set()
        engine.stop()


def test_in_a_job_class_and_by_the_process_wide_name(redis_url, raw):
    import pillion

    class Charge(pillion.Job, wire_name="test_lock.Charge"):
        def perform(self, number):
            with (
                self.lock(f"payment:{number}", timeout_s=60),
                self.once(f"payment:{number}") as first,
                pillion.lock("x"),
            ):
                seen.append((first, sorted(raw.keys("pl:lock:*"))))

    seen = []
    default.install(Config(redis=RedisConfig(url=redis_url)))
    try:
        Charge.perform_inline(1)
        Charge.perform_inline(1)
        with pillion.lock("payment:1"), pytest.raises(pillion.LockNotAcquired):
            Charge.perform_inline(1)
    finally:
        default.reset()
    assert seen == [(True, [b"pl:lock:payment:1", b"pl:lock:x"]), (False, [b"pl:lock:payment:1", b"pl:lock:x"])]


def test_a_lock_that_is_of_another_type_is_an_error_of_redis(home, raw, way):
    raw.lpush("pl:lock:a", "1")
    with pytest.raises(Exception, match="WRONGTYPE"):
        way.hold(Lock(home, "a"))
