"""What the metrics write: keys, fields, lifetimes (wire-format 8 and its golden vectors 13)."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from engine import Engine, payload, until

from pillion.config import RedisConfig
from pillion.errors import Interrupted, RedisRefused, RedisUnavailable
from pillion.features import metrics
from pillion.features.metrics import service as services
from pillion.features.metrics.recorder import Recorder
from pillion.features.metrics.service import MetricsService
from pillion.server.service import PeriodicService
from pillion.storage.connect import open_target
from pillion.storage.ops import metrics as ops
from pillion.storage.target import resolve_url
from pillion.wire.rollup import Counts

NIGHT = datetime(2026, 11, 21, 22, 28, 40, tzinfo=UTC).timestamp()
EARLY = datetime(2025, 2, 14, 8, 3, tzinfo=UTC).timestamp()


class Flusher:
    """A recorder, and the service that brings its counts to Redis at the time `now_s`."""

    def __init__(self, storage) -> None:
        self.now_s = NIGHT
        self.reports: list[BaseException] = []
        self.recorder = Recorder()
        reporter = SimpleNamespace(report=lambda exc, context: self.reports.append(exc))
        host = SimpleNamespace(
            storage=storage,
            identity="host:1:aaaaaaaaaaaa",
            reporter=reporter,
            periodic=lambda name, tick, **more: PeriodicService(name, tick, reporter, **more),
        )
        self.service = MetricsService(self.recorder, host, clock=lambda: self.now_s)

    def ran(self, job_class: str, *times_s: float, error: BaseException | None = None) -> None:
        for time_s in times_s:
            self.recorder.observe({"class": job_class}, time_s, error)


@pytest.fixture
def flusher(storage):
    return Flusher(storage)


def test_two_runs_of_30_ms_at_22_28_are_written_as_sidekiq_writes_them(flusher, raw):
    flusher.ran("OkJob", 0.0305, 0.0305)
    flusher.service.flush()
    assert raw.hgetall("j|261121|22:2") == {b"OkJob|p": b"2", b"OkJob|ms": b"61"}
    assert raw.hgetall("j|261121|22:28") == {b"OkJob|p": b"2", b"OkJob|ms": b"61"}
    assert raw.get("h|OkJob-21-22:28") == b"\0\0\0\0\0\2"
    assert len(raw.keys("*")) == 3 + 1  # and the number of the batch


def test_at_8_03_the_paddings_differ(flusher, raw):
    flusher.now_s = EARLY
    flusher.ran("App::FooJob", 0.001)
    flusher.service.flush()
    assert sorted(raw.keys("[hj]|*")) == [b"h|App::FooJob-14-8:3", b"j|250214|8:0", b"j|250214|8:03"]


def test_lifetimes(flusher, raw):
    flusher.ran("OkJob", 0.1)
    flusher.service.flush()
    lifetimes = {key: raw.ttl(key) for key in ("j|261121|22:28", "j|261121|22:2", "h|OkJob-21-22:28")}
    assert lifetimes == {
        "j|261121|22:28": pytest.approx(28_800, abs=5),
        "j|261121|22:2": pytest.approx(259_200, abs=5),
        "h|OkJob-21-22:28": pytest.approx(28_800, abs=5),
    }


def test_the_coarse_bucket_is_written_first(flusher, raw):
    flusher.ran("OkJob", 0.03)
    with raw.monitor() as monitor:
        flusher.service.flush()
        raw.echo("end")
        commands = []
        for entry in monitor.listen():
            if entry["command"].startswith("ECHO"):
                break
            commands.append(entry["command"])
    writes = [command for command in commands if command.split()[0] in ("HINCRBY", "BITFIELD", "EXPIRE")]
    assert writes == [
        "HINCRBY j|261121|22:2 OkJob|p 1",
        "HINCRBY j|261121|22:2 OkJob|ms 30",
        "EXPIRE j|261121|22:2 259200",
        "HINCRBY j|261121|22:28 OkJob|p 1",
        "HINCRBY j|261121|22:28 OkJob|ms 30",
        "EXPIRE j|261121|22:28 28800",
        "BITFIELD h|OkJob-21-22:28 OVERFLOW SAT INCRBY u16 #2 1",
        "EXPIRE h|OkJob-21-22:28 28800",
    ]


def test_failures_count_without_time_and_without_histogram(flusher, raw):
    flusher.ran("Boom", 0.5, 0.5, error=ValueError())
    flusher.service.flush()
    assert raw.hgetall("j|261121|22:28") == {b"Boom|p": b"2", b"Boom|f": b"2"}
    assert raw.keys("h|*") == []


def test_a_class_name_with_a_bar_is_kept(flusher, raw):
    flusher.ran("odd|name", 0.5)
    flusher.service.flush()
    assert raw.hgetall("j|261121|22:28") == {b"odd|name|p": b"1", b"odd|name|ms": b"500"}


def test_nothing_is_written_when_nothing_ran(flusher, raw):
    before = raw.info("commandstats").get("cmdstat_multi", {}).get("calls", 0)
    flusher.service.flush()
    assert raw.keys("*") == []
    assert raw.info("commandstats").get("cmdstat_multi", {}).get("calls", 0) == before


def test_the_bucket_is_that_of_the_flush_and_flushes_add_up(flusher, raw):
    flusher.ran("OkJob", 0.01)
    flusher.service.flush()
    flusher.now_s += 60
    flusher.ran("OkJob", 0.01)
    flusher.service.flush()
    assert (raw.hget("j|261121|22:28", "OkJob|p"), raw.hget("j|261121|22:29", "OkJob|p")) == (b"1", b"1")
    assert raw.hget("j|261121|22:2", "OkJob|p") == b"2"


def test_a_full_counter_of_the_histogram_stays_full(flusher, raw):
    raw.execute_command("BITFIELD", "h|OkJob-21-22:28", "SET", "u16", "#0", 65_534)
    flusher.ran("OkJob", 0.001, 0.001, 0.001)
    flusher.service.flush()
    assert raw.execute_command("BITFIELD_RO", "h|OkJob-21-22:28", "GET", "u16", "#0") == [65_535]


def test_hundreds_of_classes_go_in_several_transactions(flusher, raw):
    for number in range(services.CLASSES_AT_A_TIME * 2 + 1):
        flusher.ran(f"Job{number}", 0.001, error=ValueError())
    flusher.service.flush()
    assert raw.hlen("j|261121|22:28") == 2 * (services.CLASSES_AT_A_TIME * 2 + 1)


@pytest.fixture
def own_flusher(own_redis):
    """A flusher on a server that may be filled up or stopped."""
    settings = RedisConfig(url=own_redis.url)
    storage = open_target(resolve_url(settings, {}), settings)
    yield Flusher(storage)
    storage.close()


def test_what_redis_refuses_now_is_written_later(own_flusher, own_redis):
    own_flusher.ran("OkJob", 0.01)
    with own_redis.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(RedisRefused):
            own_flusher.service.flush()
        client.config_set("maxmemory", "0")
        own_flusher.ran("OkJob", 0.01, error=ValueError())
        own_flusher.service.flush()
        assert client.hgetall("j|261121|22:28") == {b"OkJob|p": b"2", b"OkJob|f": b"1", b"OkJob|ms": b"10"}


def test_with_redis_away_the_counts_wait(own_flusher, own_redis):
    own_flusher.ran("OkJob", 0.01)
    own_redis.stop()
    with pytest.raises(RedisUnavailable):
        own_flusher.service.flush()
    own_redis.start()
    own_flusher.service.flush()
    with own_redis.client() as client:
        assert client.hget("j|261121|22:28", "OkJob|p") == b"1"


def test_what_a_slow_redis_carries_out_after_its_time_counts_once(own_redis):
    settings = RedisConfig(url=own_redis.url, timeout_s=0.2)
    storage = open_target(resolve_url(settings, {}), settings)
    flusher = Flusher(storage)
    try:
        flusher.ran("OkJob", 0.01)
        flusher.service.flush()
        flusher.ran("OkJob", 0.01)
        with own_redis.client() as client:
            client.client_pause(1000)  # it reads what is sent, and carries it out in a second
            with pytest.raises(RedisUnavailable):
                flusher.service.flush()
            flusher.ran("OkJob", 0.01)
            client.client_unpause()
            flusher.service.flush()
            assert client.hgetall("j|261121|22:28") == {b"OkJob|p": b"3", b"OkJob|ms": b"30"}
    finally:
        storage.close()


def test_a_batch_counts_once_also_if_it_comes_late(storage, raw):
    first, second = {"OkJob": Counts(1, 0, ())}, {"OkJob": Counts(10, 0, ())}
    assert storage.run(ops.add_once("host:1:aa", 1, first, NIGHT))
    assert storage.run(ops.add_once("host:1:aa", 2, second, NIGHT))
    assert not storage.run(ops.add_once("host:1:aa", 1, first, NIGHT))
    assert storage.run(ops.add_once("host:2:bb", 1, first, NIGHT))
    assert raw.hget("j|261121|22:28", "OkJob|f") == b"12"
    assert raw.ttl("pl:counted:host:1:aa") > 3600


def test_what_can_never_be_written_is_reported_and_given_up(flusher, raw):
    raw.set("j|261121|22:2", "not a hash")
    flusher.ran("OkJob", 0.01)
    flusher.service.flush()
    flusher.service.flush()
    assert len(flusher.reports) == 1
    assert raw.hget("j|261121|22:28", "OkJob|p") == b"1"


def test_a_stop_flushes_what_the_last_jobs_did(flusher, raw):
    flusher.service.start()
    flusher.ran("OkJob", 0.01)
    flusher.service.stop(time.monotonic() + 10)
    flusher.ran("OkJob", 0.01)
    flusher.service.stop(time.monotonic() + 10)
    assert raw.hget("j|261121|22:28", "OkJob|p") == b"2"


# -- with an engine ------------------------------------------------------------------------------------


class Measured:
    """An engine with the feature installed."""

    def __init__(self, storage) -> None:
        self.engine = Engine(storage)
        metrics.install(self.engine.config)
        self.recorder: Recorder = self.engine.config.observers[0].__self__

    def outcome(self, raw, processed: int) -> dict[str, tuple[int, int]]:
        """Class to runs and failures, once so many jobs have been settled."""
        until(lambda: int(raw.get("stat:processed") or 0) == processed)
        return self.taken()

    def taken(self) -> dict[str, tuple[int, int]]:
        return {name: (counts.runs, counts.failed) for name, counts in self.recorder.take().items()}


@pytest.fixture
def measured(storage):
    measured = Measured(storage)
    yield measured
    measured.engine.stop()


def test_a_known_sequence_gives_3_runs_and_1_failure(measured, raw):
    measured.engine.job("Divide", lambda a, b: a / b)
    raw.lpush("queue:default", *(payload("Divide", 1, divisor) for divisor in (1, 0, 2)))
    measured.engine.start()
    assert measured.outcome(raw, 3) == {"Divide": (3, 1)}


def test_a_thousand_jobs_on_five_threads_are_a_thousand_runs(measured, raw):
    measured.engine.job("Noop", lambda: None)
    raw.lpush("queue:default", *[payload("Noop")] * 1000)
    measured.engine.start()
    assert measured.outcome(raw, 1000) == {"Noop": (1000, 0)}


def test_what_is_no_job_or_of_no_known_class_is_not_recorded(measured, raw):
    measured.engine.job("Noop", lambda: None)
    raw.lpush("queue:default", b"not json", payload("Unheard"), payload("Noop"))
    measured.engine.start()
    until(lambda: raw.zcard("dead") == 1)
    assert measured.outcome(raw, 2) == {"Noop": (1, 0)}


def test_arguments_that_do_not_fit_are_a_failure_of_the_class(measured, raw):
    measured.engine.job("Noop", lambda: None)
    raw.lpush("queue:default", payload("Noop", "too", "many"))
    measured.engine.start()
    assert measured.outcome(raw, 1) == {"Noop": (1, 1)}


def test_a_job_that_stops_on_purpose_has_not_failed(measured, raw):
    runs = []

    def stops():
        runs.append(1)
        if len(runs) == 1:
            raise Interrupted

    measured.engine.job("Iterates", stops)
    raw.lpush("queue:default", payload("Iterates"))
    measured.engine.start()
    assert measured.outcome(raw, 2) == {"Iterates": (2, 0)}


def test_a_job_interrupted_at_the_deadline_counts_as_failed_as_with_sidekiq(measured, raw):
    began = threading.Event()

    def endless():
        began.set()
        while True:
            time.sleep(0)

    measured.engine.job("Endless", endless)
    raw.lpush("queue:default", payload("Endless"))
    measured.engine.start()
    assert began.wait(10)
    measured.engine.stop(within_s=0)
    assert measured.taken() == {"Endless": (1, 1)}
    assert raw.llen("queue:default") == 1


@pytest.mark.parametrize("fault", [ZeroDivisionError(), SystemExit("bye")])
def test_an_observer_that_fails_changes_nothing_for_the_jobs(storage, raw, fault):
    def observe(payload, elapsed_s, error):
        raise fault

    engine = Engine(storage)
    engine.config.observers.append(observe)
    engine.job("Divide", lambda a, b: a / b)
    raw.lpush("queue:default", *(payload("Divide", 1, divisor) for divisor in (1, 0, 2)))
    engine.start()
    try:
        until(lambda: raw.get("stat:processed") == b"3")
        assert (raw.get("stat:failed"), raw.zcard("retry"), raw.zcard("dead")) == (b"1", 1, 0)
        assert [context["context"] for _, context in engine.reports].count("Error in an observer of jobs") == 1
    finally:
        engine.stop()


def test_an_observer_is_told_of_the_payload_the_time_and_the_end(storage, raw):
    seen = []
    engine = Engine(storage, concurrency=1)
    engine.config.observers.append(lambda payload, elapsed_s, error: seen.append((payload["args"], elapsed_s, error)))
    engine.job("Divide", lambda a, b: a / b)
    raw.lpush("queue:default", payload("Divide", 1, 1), payload("Divide", 1, 0))
    engine.start()
    try:
        until(lambda: raw.get("stat:processed") == b"2")
    finally:
        engine.stop()
    assert [(args, type(error)) for args, _, error in seen] == [([1, 1], type(None)), ([1, 0], ZeroDivisionError)]
    assert all(0 < elapsed_s < 10 for _, elapsed_s, _ in seen)
