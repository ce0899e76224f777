"""perform_inline: run here and now, as a worker would (behaviour 1.5)."""

import asyncio
import threading

import pytest
from own_home import OwnHome

from pillion.errors import ComplexArgument, InvalidJob


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def log():
    return []


@pytest.fixture
def greet(home, log):
    class Greet(home.Job, queue="high"):
        def perform(self, name, times=1):
            log.append((name, times, self.jid, self.queue_name, self.attempt))
            return "the result is not returned"

    return Greet


def test_it_runs_the_job_and_returns_true(greet, log):
    assert greet.perform_inline("ann", times=2) is True
    assert log == [("ann", 2, "j1", "high", 0)]


def test_perform_sync_is_the_same(greet, log):
    assert greet.perform_sync("ann") is True
    assert len(log) == 1


def test_nothing_is_written(home, greet):
    greet.perform_inline("ann")
    assert home.sent.trips == []


def test_client_middleware_runs_first_then_server_middleware_around_the_body(home, log):
    @home.settings.client_middleware.add
    def client(job_class, payload, queue, redis_pool, next_):
        log.append("client before")
        result = next_()
        log.append("client after")
        return result

    @home.settings.server_middleware.add
    def server(job, payload, queue):
        log.append("server before")
        yield
        log.append("server after")

    @home.job
    def body():
        log.append("body")

    body.perform_inline()
    assert log == ["client before", "client after", "server before", "body", "server after"]


def test_client_middleware_may_stop_it(home, greet, log):
    home.settings.client_middleware.add(lambda job_class, payload, queue, redis_pool, next_: None)
    assert greet.perform_inline("ann") is None
    assert log == []


def test_server_middleware_may_skip_it(home, greet, log):
    home.settings.server_middleware.add(lambda job, payload, queue, next_: None)
    assert greet.perform_inline("ann") is None
    assert log == []


def test_arguments_are_checked_and_make_the_trip_through_json(home, log):
    @home.job
    def body(value):
        log.append(value)

    original = {"a": [1]}
    body.perform_inline(original)
    assert log == [original]
    assert log[0] is not original
    with pytest.raises(ComplexArgument):
        body.perform_inline((1, 2))


def test_an_error_of_the_job_comes_out(home):
    @home.job
    def body():
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        body.perform_inline()


def test_an_async_job_runs_on_a_loop_of_its_own(home, log):
    @home.job
    async def body(value):
        await asyncio.sleep(0)
        log.append(value)

    assert body.perform_inline(5) is True
    assert log == [5]


def test_an_async_job_inside_a_loop_says_to_use_aio(home, log):
    @home.job
    async def body(value):
        log.append(value)

    async def main():
        with pytest.raises(RuntimeError, match=r"perform_inline\.aio"):
            body.perform_inline(5)
        return await body.perform_inline.aio(6)

    assert asyncio.run(main()) is True
    assert log == [6]


def test_aio_runs_a_sync_job_in_a_thread_so_that_the_loop_goes_on(home, log):
    @home.job
    def body():
        log.append(threading.current_thread() is threading.main_thread())

    assert asyncio.run(body.perform_inline.aio()) is True
    assert log == [False]


def test_server_middleware_is_around_async_jobs_too(home, log):
    @home.settings.server_middleware.add
    def around(job, payload, queue):
        log.append("in")
        yield
        log.append("out")

    @home.job
    async def body():
        await asyncio.sleep(0)
        log.append("body")

    body.perform_inline()
    assert log == ["in", "body", "out"]


def test_set_sync_makes_perform_async_run_here(home, greet, log):
    assert greet.set(sync=True).perform_async("ann") == "j1"
    assert asyncio.run(greet.set(sync=True).perform_async.aio("bob")) == "j2"
    assert [entry[0] for entry in log] == ["ann", "bob"]
    assert home.sent.trips == home.sent_async.trips == []


def test_set_sync_answers_none_if_middleware_skipped_it(home, greet):
    home.settings.server_middleware.add(lambda job, payload, queue, next_: None)
    assert greet.set(sync=True).perform_async("ann") is None


def test_options_of_set_are_seen_by_the_run(home, greet, log):
    greet.set(queue="low").perform_inline("ann")
    assert log[0][3] == "low"


def test_a_base_class_cannot_be_run(home):
    with pytest.raises(InvalidJob):
        home.Job.perform_inline()
