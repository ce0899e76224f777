"""The engine of one process on a real Redis: what becomes of each kind of job."""

import json
import threading

import pytest
from engine import Engine, payload, until

from pillion.errors import DecodeError, Interrupted, Shutdown, UnknownJobClass


@pytest.fixture
def engine(storage):
    engine = Engine(storage)
    yield engine
    engine.stop()


def _settled(raw, engine):
    """True once no job is in flight and every queue is empty."""
    return not raw.exists(engine.inflight()) and not raw.exists("queue:default")


def test_jobs_run_in_the_order_they_were_pushed(engine, raw):
    ran, done = [], threading.Event()
    engine.config.concurrency = 1
    engine.job("Note", lambda n: (ran.append(n), n == 19 and done.set()))
    raw.lpush("queue:default", *[payload("Note", n) for n in range(20)])
    engine.start()
    assert done.wait(10)
    assert ran == list(range(20))


def test_a_finished_job_is_counted_and_leaves_nothing_behind(engine, raw):
    engine.job("Noop", lambda: None)
    raw.lpush("queue:default", *[payload("Noop")] * 100)
    engine.start()
    until(lambda: raw.get("stat:processed") == b"100")
    assert not raw.exists(engine.inflight())
    assert raw.get("stat:failed") is None


def test_a_waiting_process_takes_a_job_pushed_by_anyone(engine, raw):
    ran = threading.Event()
    engine.job("Wake", ran.set)
    engine.start()
    until(lambda: raw.info("clients")["blocked_clients"] == 1)
    raw.rpush("queue:default", payload("Wake"))
    assert ran.wait(10)
    until(lambda: _settled(raw, engine))


def test_a_failed_job_waits_in_the_retry_set(engine, raw):
    engine.job("Boom", lambda: 1 / 0)
    raw.lpush("queue:default", payload("Boom", custom=2**70))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    job = json.loads(raw.zrange("retry", 0, 0)[0])
    assert (job["error_class"], job["retry_count"], job["custom"]) == ("ZeroDivisionError", 0, 2**70)
    assert (raw.get("stat:processed"), raw.get("stat:failed")) == (b"1", b"1")
    assert not raw.exists(engine.inflight())


def test_the_error_handlers_are_told_once_with_the_job(engine, raw):
    engine.job("Boom", lambda: 1 / 0)
    raw.lpush("queue:default", payload("Boom"))
    engine.start()
    assert engine.reported.acquire(timeout=10)
    ((exc, context),) = engine.reports
    assert isinstance(exc, ZeroDivisionError)
    assert context["job"]["class"] == "Boom"


def test_retry_0_goes_to_the_dead_set_and_tells_the_death_handlers(engine, raw):
    died, told = [], threading.Event()
    engine.config.death_handlers.append(lambda job, exc: (died.append((job["class"], type(exc))), told.set()))
    engine.job("Boom", lambda: 1 / 0)
    raw.lpush("queue:default", payload("Boom", retry=0))
    engine.start()
    assert told.wait(10)
    until(lambda: raw.zcard("dead") == 1)
    assert died == [("Boom", ZeroDivisionError)]
    assert raw.exists("retry") == 0


def test_retry_false_is_dropped_and_tells_the_death_handlers(engine, raw):
    told = threading.Event()
    engine.config.death_handlers.append(lambda job, exc: told.set())
    engine.job("Boom", lambda: 1 / 0)
    raw.lpush("queue:default", payload("Boom", retry=False))
    engine.start()
    assert told.wait(10)
    until(lambda: _settled(raw, engine) and raw.get("stat:failed") == b"1")
    assert (raw.exists("retry"), raw.exists("dead")) == (0, 0)


def test_a_death_handler_that_fails_does_not_stop_the_next(engine, raw):
    told = threading.Event()
    engine.config.death_handlers += [lambda job, exc: 1 / 0, lambda job, exc: told.set()]
    engine.job("Boom", lambda: None)
    raw.lpush("queue:default", payload("Boom", "too", "many", retry=0))
    engine.start()
    assert told.wait(10)


@pytest.mark.parametrize("garbage", [b"{oops", b'{"a": NaN}', b"\xff\xfe", b""])
def test_what_is_no_json_goes_to_the_dead_set_byte_for_byte(engine, raw, garbage):
    raw.lpush("queue:default", garbage)
    engine.start()
    until(lambda: raw.zcard("dead") == 1)
    assert raw.zrange("dead", 0, -1) == [garbage]
    assert engine.reported.acquire(timeout=10)
    assert isinstance(engine.reports[0][0], DecodeError)
    assert raw.get("stat:processed") is None  # it never was a job


@pytest.mark.parametrize("text", ["[1,2]", "5", "null", "-0.5", "true", '["\u2603"]'])
def test_json_that_is_no_object_goes_to_the_dead_set_as_a_text_that_ruby_can_show(engine, raw, text):
    raw.lpush("queue:default", text)
    engine.start()
    until(lambda: raw.zcard("dead") == 1)
    assert json.loads(raw.zrange("dead", 0, 0)[0]) == text
    assert engine.reported.acquire(timeout=10)
    assert isinstance(engine.reports[0][0], DecodeError)
    assert raw.get("stat:processed") is None  # it never was a job


def test_the_worker_goes_on_after_garbage(engine, raw):
    ran = threading.Event()
    engine.job("Fine", ran.set)
    raw.lpush("queue:default", b"{oops", b"null", payload("Fine"))
    engine.start()
    assert ran.wait(10)


@pytest.mark.parametrize("name", ["Nobody", "os.system", None, 5, ["Noop"], {"a": 1}])
def test_an_unknown_class_is_retried_and_never_imported(engine, raw, name):
    raw.lpush("queue:default", payload(name))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "pillion.errors.UnknownJobClass"
    assert isinstance(engine.reports[0][0], UnknownJobClass)


@pytest.mark.parametrize("args", [[1, 2, 3], []])
def test_arguments_that_do_not_fit_fail_the_job_with_a_clear_message(engine, raw, args):
    engine.job("Two", lambda a, b: None)
    raw.lpush("queue:default", payload("Two", *args))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert "argument" in json.loads(raw.zrange("retry", 0, 0)[0])["error_message"]


@pytest.mark.parametrize("job", [{"class": "None"}, {"class": "None", "args": None}])
def test_missing_arguments_mean_none(engine, raw, job):
    ran = threading.Event()
    engine.job("None", ran.set)
    raw.lpush("queue:default", json.dumps(job))
    engine.start()
    assert ran.wait(10)
    until(lambda: raw.get("stat:processed") == b"1")


@pytest.mark.parametrize("args", [5, "text", {"a": 1}, False])
def test_args_that_are_no_list_fail_the_job(engine, raw, args):
    engine.job("Any", lambda *args: None)
    raw.lpush("queue:default", json.dumps({"class": "Any", "args": args}))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "pillion.errors.JobArgumentError"


def test_a_job_of_5_mb_runs(engine, raw):
    sizes, ran = [], threading.Event()
    engine.job("Big", lambda text: (sizes.append(len(text)), ran.set()))
    raw.lpush("queue:default", payload("Big", "ü" * 5_000_000))
    engine.start()
    assert ran.wait(20)
    assert sizes == [5_000_000]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError])
def test_a_job_may_raise_anything_and_the_worker_goes_on(engine, raw, error):
    ran = threading.Event()

    def perform():
        raise error("from the job")

    engine.config.concurrency = 1
    engine.job("Rude", perform)
    engine.job("Fine", ran.set)
    raw.lpush("queue:default", payload("Rude"), payload("Fine"))
    engine.start()
    assert ran.wait(10)
    until(lambda: raw.zcard("retry") == 1)


def test_an_async_job_runs(engine, raw):
    ran = threading.Event()

    async def perform():
        import asyncio

        await asyncio.sleep(0)
        ran.set()

    engine.job("Async", perform, is_async=True)
    raw.lpush("queue:default", payload("Async"))
    engine.start()
    assert ran.wait(10)
    until(lambda: raw.get("stat:processed") == b"1")


def test_an_async_function_behind_a_plain_wrapper_is_awaited(engine, raw):
    ran = threading.Event()

    async def inner():
        ran.set()

    engine.job("Wrapped", lambda: inner(), is_async=False)
    raw.lpush("queue:default", payload("Wrapped"))
    engine.start()
    assert ran.wait(10)


def test_an_async_job_that_fails_is_retried(engine, raw):
    async def perform():
        raise LookupError("async")

    engine.job("Async", perform, is_async=True)
    raw.lpush("queue:default", payload("Async"))
    engine.start()
    until(lambda: raw.zcard("retry") == 1)
    assert json.loads(raw.zrange("retry", 0, 0)[0])["error_class"] == "LookupError"


def test_server_middleware_runs_around_the_job_and_may_skip_it(engine, raw):
    seen, ran = [], threading.Event()

    def around(job, job_payload, queue, next_):
        seen.append((job_payload["class"], queue))
        job_payload["args"] = ["changed for this run only"]
        return next_() if job_payload["class"] != "Skipped" else None

    engine.config.server_middleware.add(around)
    engine.job("Skipped", lambda: seen.append("ran"))
    engine.job("Boom", lambda text: (ran.set(), 1 / 0))
    engine.config.concurrency = 1
    raw.lpush("queue:default", payload("Skipped"), payload("Boom", "original"))
    engine.start()
    assert ran.wait(10)
    until(lambda: raw.get("stat:processed") == b"2" and raw.zcard("retry") == 1)
    assert seen == [("Skipped", "default"), ("Boom", "default")]
    assert json.loads(raw.zrange("retry", 0, 0)[0])["args"] == ["original"]


def test_an_interrupted_job_goes_behind_all_waiting_work(engine, raw):
    order, done = [], threading.Event()

    def stops():
        order.append("stops")
        if len(order) == 1:
            raise Interrupted
        done.set()

    engine.config.concurrency = 1
    engine.job("Stops", stops)
    engine.job("Other", lambda: order.append("other"))
    raw.lpush("queue:default", payload("Stops"), payload("Other"))
    engine.start()
    assert done.wait(10)
    assert order == ["stops", "other", "stops"]
    until(lambda: raw.get("stat:processed") == b"3")
    assert raw.get("stat:failed") is None


def test_effects_of_a_feature_happen_with_the_outcome(engine, raw):
    engine.config.effects.append(lambda job, outcome: [("HINCRBY", "tally", type(outcome).__name__, 1)])
    engine.job("Fine", lambda: None)
    engine.job("Boom", lambda: 1 / 0)
    raw.lpush("queue:default", payload("Fine"), payload("Fine"), payload("Boom"), payload("Boom", retry=0))
    engine.start()
    until(lambda: raw.get("stat:processed") == b"4")
    assert raw.hgetall("tally") == {b"Done": b"2", b"Retry": b"1", b"Dead": b"1"}


def test_a_strict_first_queue_is_emptied_before_the_next(engine, raw):
    ran, done = [], threading.Event()
    engine.config.queues = ["high", "default"]
    engine.config.concurrency = 1
    engine.job("Note", lambda name: (ran.append(name), len(ran) == 110 and done.set()))
    raw.lpush("queue:default", *[payload("Note", "default")] * 100)
    raw.lpush("queue:high", *[payload("Note", "high")] * 10)
    engine.start()
    assert done.wait(10)
    assert ran == ["high"] * 10 + ["default"] * 100


def test_200_queues_in_one_process(engine, raw):
    ran, done = set(), threading.Event()
    names = [f"q{n}" for n in range(200)]
    engine.config.queues = names
    engine.job("Note", lambda name: (ran.add(name), len(ran) == 200 and done.set()))
    engine.start()
    for name in names:
        raw.lpush(f"queue:{name}", payload("Note", name))
    assert done.wait(20)
    until(lambda: raw.get("stat:processed") == b"200")


def test_the_work_shown_to_the_heartbeat_is_what_runs(engine, raw):
    entered, leave = threading.Event(), threading.Event()
    engine.job("Slow", lambda: (entered.set(), leave.wait(20)))
    raw.lpush("queue:default", payload("Slow"))
    engine.start()
    assert entered.wait(10)
    (entry,) = engine.manager.work()
    assert (entry.queue, entry.raw, engine.manager.busy()) == ("default", payload("Slow"), 1)
    leave.set()
    until(lambda: engine.manager.busy() == 0)
    assert engine.manager.work() == []


def test_an_acknowledgement_leaves_while_all_threads_are_busy(engine, raw):
    """The thread that finished took a job it had buffered, and nobody will fetch for a long time."""
    entered, leave = threading.Semaphore(0), threading.Event()
    engine.config.concurrency = 1
    engine.job("Fast", lambda: None)
    engine.job("Slow", lambda: (entered.release(), leave.wait(20)))
    raw.lpush("queue:default", *[payload("Fast")] * 200, payload("Slow"))
    engine.start()
    assert entered.acquire(timeout=10)
    until(lambda: raw.get("stat:processed") == b"200", "acknowledged while the next job still runs")
    leave.set()


def test_buffered_jobs_go_back_when_no_thread_comes_free(storage, raw, engine):
    """A process whose threads are all stuck in slow jobs must not sit on jobs that another could run."""
    slow_in, leave = threading.Semaphore(0), threading.Event()
    engine.config.concurrency = 2
    engine.job("Fast", lambda: None)
    engine.job("Slow", lambda: (slow_in.release(), leave.wait(30)))
    raw.lpush("queue:default", *[payload("Fast")] * 2000, *[payload("Slow")] * 2, *[payload("Fast")] * 100)
    engine.start()
    assert slow_in.acquire(timeout=10)
    assert slow_in.acquire(timeout=10)
    other = Engine(storage, identity="host:2:other")
    other.job("Fast", lambda: None)
    other.start()
    try:
        until(lambda: raw.get("stat:processed") == b"2100", "the idle process ran what the busy one had buffered")
    finally:
        leave.set()
        other.stop()


def test_several_idle_queues_wake_the_process_one_job_at_a_time(engine, raw):
    ran, done = [], threading.Event()
    engine.config.queues = ["a", "b", "c"]
    engine.config.concurrency = 1
    engine.job("Note", lambda n: (ran.append(n), len(ran) == 300 and done.set()))
    engine.start()
    until(lambda: raw.info("clients")["blocked_clients"] == 3)
    for n in range(300):
        raw.lpush(f"queue:{'abc'[n % 3]}", payload("Note", n))
    assert done.wait(20)
    until(lambda: raw.get("stat:processed") == b"300")
    assert sorted(ran) == list(range(300))
    assert raw.keys("*:wait:*") == []


def test_a_burst_on_an_idle_process_uses_all_threads(engine, raw):
    together, done = threading.Barrier(5, timeout=20), threading.Semaphore(0)
    engine.job("Meet", lambda: (together.wait(), done.release()))
    engine.start()
    until(lambda: raw.info("clients")["blocked_clients"] == 1)
    raw.lpush("queue:default", *[payload("Meet")] * 5)
    for _ in range(5):
        assert done.acquire(timeout=20)


def test_flushed_scripts_are_loaded_again_and_no_job_is_taken_twice(engine, raw):
    ran, done = [], threading.Event()
    engine.config.concurrency = 1

    def perform(n):
        raw.script_flush()
        ran.append(n)
        if n == 59:
            done.set()

    engine.job("Flush", perform)
    raw.lpush("queue:default", *[payload("Flush", n) for n in range(60)])
    engine.start()
    assert done.wait(20)
    until(lambda: raw.get("stat:processed") == b"60")
    assert ran == list(range(60))


def test_after_a_crash_the_first_job_runs_alone(engine, raw):
    """Were it the one that kills its process, nothing else would be suspected with it."""
    entered, leave, together = threading.Event(), threading.Event(), threading.Barrier(5, timeout=20)
    engine.job("First", lambda: (entered.set(), leave.wait(4)))
    engine.job("Meet", together.wait)
    raw.lpush("queue:default", payload("First"), *[payload("Meet")] * 5)
    engine.start(cautious=True)
    assert entered.wait(10)
    assert raw.hvals(engine.inflight()) == [payload("First")]
    leave.set()
    until(lambda: raw.get("stat:processed") == b"6")  # the barrier proves that all five threads came


def test_at_level_warn_a_job_costs_no_log_record(engine, raw, caplog):
    """Even though the logger that jobs use themselves lets everything through, for jobs with a level of their own."""
    ran = threading.Event()
    caplog.set_level("WARNING", logger="pillion")
    caplog.set_level("DEBUG", logger="pillion.job")
    engine.job("Quiet", ran.set)
    raw.lpush("queue:default", payload("Quiet"))
    engine.start()
    assert ran.wait(10)
    until(lambda: raw.get("stat:processed") == b"1")
    assert [record.message for record in caplog.records if record.message in ("start", "done")] == []


def test_a_shutdown_that_nobody_sent_is_an_error_of_the_job(engine, raw):
    """Taken for ours, the job would stay in flight for as long as the process lives."""

    def perform():
        raise Shutdown

    engine.job("Odd", perform)
    engine.start()
    raw.lpush("queue:default", payload("Odd"))
    until(lambda: raw.zcard("retry") == 1 and not raw.exists(engine.inflight()))


def test_a_job_that_cannot_be_settled_goes_to_the_dead_set_and_its_thread_lives_on(engine, raw):
    ran = threading.Event()
    engine.config.concurrency = 1
    engine.config.effects.append(lambda job, outcome: 1 / 0 if job["class"] == "Bad" else ())
    engine.job("Bad", lambda: None)
    engine.job("Good", ran.set)
    engine.start()
    raw.lpush("queue:default", payload("Bad"), payload("Good"))
    assert ran.wait(10)
    until(lambda: raw.zrange("dead", 0, -1) == [payload("Bad")] and not raw.exists(engine.inflight()))
    assert [context["context"] for _, context in engine.reports] == ["Internal exception!"]
