"""EmbeddedWorker in this very process, on a real Redis: what it runs, how it stops, what it leaves alone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import threading

import pytest
from engine import until
from redis_process import RedisProcess

import pillion
from pillion import default
from pillion.api import ProcessSet
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError, Shutdown
from pillion.server.embedded import FORKED, EmbeddedWorker

WATCHDOG_S = 90.0


class Gate:
    """What the jobs of a test wait for, and what they have done."""

    def __init__(self) -> None:
        self.began, self.open, self.ended = threading.Semaphore(0), threading.Event(), threading.Semaphore(0)
        self.done: list[object] = []

    def pass_(self, value: object) -> None:
        self.began.release()
        try:
            while not self.open.wait(0.01):
                pass
            self.done.append(value)
        except BaseException as exc:
            self.done.append(type(exc))
            raise
        finally:
            self.ended.release()


GATE = Gate()


class Hold(pillion.Job):
    def perform(self, value):
        GATE.pass_(value)


class HoldMail(pillion.Job, queue="mailers"):
    def perform(self, value):
        GATE.pass_(value)


@pytest.fixture
def gate():
    GATE.__init__()
    yield GATE
    GATE.open.set()


@pytest.fixture
def home(redis_url):
    """This process pushes to the Redis of the test."""
    config = Config(redis=RedisConfig(url=redis_url), timeout_s=5.0)
    default.install(config)
    yield config
    default.reset()


@pytest.fixture
def worker(home, gate):
    worker = EmbeddedWorker()
    yield worker
    gate.open.set()
    worker.stop()


def own_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pillion.")]


def identities(raw) -> list[str]:
    return [name.decode() for name in raw.smembers("processes")]


def take(semaphore) -> None:
    assert semaphore.acquire(timeout=WATCHDOG_S), "it did not happen"


# -- running -------------------------------------------------------------------------------------------


def test_it_runs_jobs_until_it_is_stopped(worker, raw, gate):
    gate.open.set()
    assert not worker.running
    assert worker.start() is worker
    assert worker.running
    Hold.perform_async(1)
    take(gate.ended)
    worker.stop()
    assert (worker.running, gate.done, raw.get("stat:processed")) == (False, [1], b"1")
    assert (raw.smembers("processes"), raw.hgetall("pl:owners")) == (set(), {})
    Hold.perform_async(2)
    assert raw.llen("queue:default") == 1


def test_its_record_says_that_it_is_embedded_and_nobody_may_stop_it_from_elsewhere(worker, raw):
    worker.start()
    until(lambda: identities(raw))
    (process,) = ProcessSet()
    assert process.is_embedded
    assert process.concurrency == 2
    with pytest.raises(pillion.PillionError, match="part of another program"):
        process.stop()


def test_no_more_run_at_a_time_than_it_was_told(home, raw, gate):
    with EmbeddedWorker(concurrency=1):
        Hold.perform_async(1)
        Hold.perform_async(2)
        take(gate.began)
        until(lambda: raw.llen("queue:default") == 1)
        assert not gate.began.acquire(timeout=0.2)
        gate.open.set()
        take(gate.ended)
        take(gate.ended)
    assert gate.done == [1, 2]


def test_it_serves_the_queues_it_was_told(home, raw, gate):
    gate.open.set()
    with EmbeddedWorker(queues=["mailers"]):
        Hold.perform_async(1)
        HoldMail.perform_async(2)
        take(gate.ended)
    assert (gate.done, raw.llen("queue:default")) == ([2], 1)


def test_starting_and_stopping_twice_is_as_once(worker, raw, gate):
    gate.open.set()
    worker.start().start()
    until(lambda: identities(raw))
    assert len(identities(raw)) == 1
    worker.stop()
    worker.stop()
    assert not worker.running


def test_it_can_be_started_again_and_is_another_one_then(worker, raw, gate):
    gate.open.set()
    names = set()
    for number in range(2):
        with worker:
            Hold.perform_async(number)
            take(gate.ended)
            names.update(until(lambda: identities(raw)))
    assert (gate.done, len(names)) == ([0, 1], 2)


def test_after_a_stop_no_thread_of_it_is_left(worker, gate):
    before = own_threads()
    worker.start()
    assert len(own_threads()) > len(before)
    worker.stop()
    until(lambda: own_threads() == before, "the end of its threads")


def test_two_workers_side_by_side_have_queues_of_their_own(home, raw, gate):
    gate.open.set()
    with EmbeddedWorker(queues=["mailers"], concurrency=1), EmbeddedWorker(concurrency=1):
        until(lambda: len(identities(raw)) == 2)
        Hold.perform_async(1)
        HoldMail.perform_async(2)
        take(gate.ended)
        take(gate.ended)
    assert sorted(gate.done) == [1, 2]


# -- stopping ------------------------------------------------------------------------------------------


def test_a_running_job_may_end_while_the_worker_stops(worker, gate):
    worker.start()
    Hold.perform_async(1)
    take(gate.began)
    stopping = threading.Thread(target=worker.stop, args=(WATCHDOG_S,))
    stopping.start()
    gate.open.set()
    stopping.join(WATCHDOG_S)
    assert not stopping.is_alive()
    assert gate.done == [1]


def test_at_the_deadline_a_job_is_interrupted_and_back_in_its_queue(worker, raw, gate):
    worker.start()
    jid = Hold.perform_async(1)
    take(gate.began)
    worker.stop(timeout_s=0.1)
    take(gate.ended)
    assert gate.done == [Shutdown]
    assert [json.loads(job)["jid"] for job in raw.lrange("queue:default", 0, -1)] == [jid]


def test_quiet_takes_no_further_jobs_and_lets_the_running_end(worker, raw, gate):
    worker.start()
    Hold.perform_async(1)
    take(gate.began)
    worker.quiet()
    assert not worker.running
    until(lambda: raw.info("clients")["blocked_clients"] == 0)  # the wait for a job has been called off
    Hold.perform_async(2)
    gate.open.set()
    take(gate.ended)
    worker.stop()
    assert (gate.done, raw.llen("queue:default")) == ([1], 1)


# -- the host ------------------------------------------------------------------------------------------


def test_signals_are_left_to_the_host(worker):
    def handlers():
        return {number: signal.getsignal(number) for number in signal.valid_signals()}

    before = handlers()
    wakeup = signal.set_wakeup_fd(-1)
    worker.start()
    assert (handlers(), signal.set_wakeup_fd(wakeup)) == (before, -1)
    worker.stop()
    assert handlers() == before


def test_logging_is_left_to_the_host(worker, gate, caplog):
    gate.open.set()
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("pillion.job").level)
    caplog.set_level("INFO", "pillion")
    during = (root.level, list(root.handlers), logging.getLogger("pillion.job").level)
    with worker:
        Hold.perform_async(1)
        take(gate.ended)
        assert (root.level, list(root.handlers), logging.getLogger("pillion.job").level) == during
    assert before[1] == list(root.handlers)
    assert {"start", "done"} <= {record.message for record in caplog.records}


def test_the_settings_of_the_host_stay_as_they_are(home, worker, gate):
    seen = []

    @pillion.configure_server
    def block(config):
        config.tag = "for workers"
        config.on("startup", lambda: seen.append("startup"))
        config.client_middleware.add(lambda *args: None)  # stops every push that goes through it
        seen.append(config)

    worker.start()
    assert seen[0] is not home
    assert seen[1:] == ["startup"]
    assert (home.tag, home.concurrency, home.hooks("startup")) == ("", 5, ())
    home.tag = "still mine to set"
    assert Hold.perform_async(1) is not None


def test_configure_has_the_last_word(home, raw):
    def configure(config):
        config.tag, config.concurrency = "last", 3

    with EmbeddedWorker(configure=configure):
        (name,) = until(lambda: identities(raw))
        info = json.loads(raw.hget(name, "info"))
    assert (info["tag"], info["concurrency"]) == ("last", 3)


def test_more_than_two_at_a_time_is_worth_a_warning(home, caplog):
    with EmbeddedWorker(concurrency=2):
        pass
    assert "at a time beside the work of its host" not in caplog.text
    with EmbeddedWorker(concurrency=3):
        pass
    assert "runs up to 3 jobs at a time beside the work of its host" in caplog.text


def test_a_wrong_setting_is_refused_and_nothing_begins(home, raw):
    before = own_threads()
    worker = EmbeddedWorker(concurrency=0)
    with pytest.raises(ConfigError, match="concurrency"):
        worker.start()
    assert (worker.running, own_threads(), raw.keys("*")) == (False, before, [])


def test_a_startup_hook_that_raises_keeps_it_from_starting(home, raw):
    def startup():
        raise LookupError("no database")

    before = own_threads()
    worker = EmbeddedWorker(configure=lambda config: config.on("startup", startup))
    with pytest.raises(LookupError, match="no database"):
        worker.start()
    assert (worker.running, own_threads(), raw.smembers("processes")) == (False, before, set())


def test_as_an_async_context_it_leaves_the_loop_free(home, raw, gate):
    async def main():
        async with EmbeddedWorker(timeout_s=WATCHDOG_S) as worker:
            assert worker.running
            await Hold.perform_async.aio(1)
            await asyncio.to_thread(take, gate.began)
            asyncio.get_running_loop().call_later(0.05, gate.open.set)  # while it stops: else the job would not end
        await default.async_client().storage.close()
        return worker.running

    assert asyncio.run(main()) is False
    assert gate.done == [1]


def test_the_lifespan_of_an_asgi_application(home, raw, gate):
    from starlette.applications import Starlette

    gate.open.set()
    worker = EmbeddedWorker()
    app = Starlette(lifespan=worker.lifespan)

    async def main():
        async with app.router.lifespan_context(app):
            await Hold.perform_async.aio(1)
            await default.async_client().storage.close()
            return await asyncio.to_thread(gate.ended.acquire, timeout=WATCHDOG_S), worker.running

    assert asyncio.run(main()) == (True, True)
    assert (gate.done, worker.running) == ([1], False)


# -- Redis away ----------------------------------------------------------------------------------------


def test_the_host_starts_without_redis_and_jobs_run_when_it_is_there(own_redis, gate, caplog):
    gate.open.set()
    default.install(Config(redis=RedisConfig(url=own_redis.url)))
    own_redis.stop()
    try:
        worker = EmbeddedWorker().start()
        assert not worker.running
        assert "takes no jobs yet" in caplog.text
        own_redis.start()
        until(lambda: worker.running)
        Hold.perform_async(1)
        take(gate.ended)
        worker.stop()
        assert gate.done == [1]
    finally:
        default.reset()


def test_it_can_be_stopped_while_it_waits_for_redis(tmp_path, caplog):
    default.install(Config(redis=RedisConfig(url=f"unix://{tmp_path}/nobody.sock")))
    try:
        before = own_threads()
        worker = EmbeddedWorker().start()
        worker.stop()
        until(lambda: own_threads() == before)
        assert not worker.running
    finally:
        default.reset()


@pytest.mark.parametrize("end", [lambda worker: worker.stop(timeout_s=0), EmbeddedWorker.quiet])
def test_an_end_amid_a_late_start_is_an_end(own_redis, end):
    default.install(Config(redis=RedisConfig(url=own_redis.url)))
    begun, go_on = threading.Event(), threading.Event()

    def startup() -> None:
        begun.set()
        assert go_on.wait(WATCHDOG_S)

    before = own_threads()
    own_redis.stop()
    worker = EmbeddedWorker(configure=lambda config: config.on("startup", startup))
    try:
        worker.start()
        own_redis.start()
        assert begun.wait(WATCHDOG_S)
        end(worker)
        go_on.set()
        until(lambda: "pillion.embedded" not in own_threads())
        assert own_threads() == before
    finally:
        go_on.set()
        worker.stop()
        default.reset()


def test_a_crash_of_redis_is_survived(own_redis: RedisProcess, gate, caplog):
    gate.open.set()
    caplog.set_level("INFO", "pillion")
    default.install(Config(redis=RedisConfig(url=own_redis.url)))
    try:
        with EmbeddedWorker():
            Hold.perform_async(1)
            take(gate.ended)
            own_redis.kill()
            until(lambda: "RedisUnavailable" in caplog.text, "that it has noticed")
            own_redis.start()
            Hold.perform_async(2)
            take(gate.ended)
        assert gate.done == [1, 2]
    finally:
        default.reset()


# -- forks ---------------------------------------------------------------------------------------------


# From Python 3.12 on a fork of a process with threads is worth a warning of its own.
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def in_child(function) -> object:
    """What `function` returns in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        result = answer.read()
    os.waitpid(pid, 0)
    return json.loads(result)


def test_a_forked_child_has_no_worker_until_it_starts_its_own(worker, raw, gate):
    gate.open.set()
    worker.start()
    (ours,) = until(lambda: identities(raw))

    def child():
        was_running = worker.running
        worker.stop()  # does nothing: it is not the child's
        worker.start()
        names = until(lambda: [name for name in identities(raw) if name != ours])
        worker.stop()
        return was_running, len(names)

    assert in_child(child) == [False, 1]
    assert worker.running
    assert identities(raw) == [ours]


def test_the_host_is_told_once_that_it_has_forked(worker, caplog):
    worker.start()
    in_child(lambda: None)
    in_child(lambda: None)
    assert caplog.text.count(FORKED) == 1


def test_a_fork_without_a_running_worker_is_nobodys_business(worker, caplog):
    worker.start()
    worker.stop()
    in_child(lambda: None)
    assert FORKED not in caplog.text
