"""HealthMonitor on real servers: it tells once, and once when it is over (F209 to F212, F215)."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.features.health import HealthMonitor, Probe, Thresholds
from pillion.storage.ops import health

NOW_S = 1_790_000_000.0


class Clock:
    """A clock that stands still until it is set."""

    now_s = NOW_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def monitor(redis_url, clock):
    """A monitor that tells into the list `told`; made anew, it has no memory of its own, as in cron."""
    fleets = []

    def make(*checks, url=redis_url, sinks=None, **options):
        fleet = Fleet(Config(redis=url), clock=clock)
        fleets.append(fleet)
        told = []
        made = HealthMonitor(sinks=[told.append] if sinks is None else sinks, checks=checks, fleet=fleet, **options)
        made.told = told
        return made

    yield make
    for fleet in fleets:
        fleet.close()


def fill(raw, queue, count, enqueued_at_ms=None):
    raw.sadd("queues", queue)
    job = json.dumps({"class": "A", "enqueued_at": enqueued_at_ms})
    raw.lpush(f"queue:{queue}", *[job] * count)


def states(alerts):
    return [(alert.name, alert.state) for alert in alerts]


class TestQueues:
    def test_101_in_critical_are_told_once_then_again_after_an_hour_then_as_over(self, monitor, raw, clock):
        fill(raw, "critical", 100)
        assert monitor("queues").run_once() == []
        fill(raw, "critical", 1)
        assert states(monitor("queues").run_once()) == [("queue_size_warning:critical", "new")]
        clock.now_s += 300
        assert monitor("queues").run_once() == []
        clock.now_s += 3300
        assert states(monitor("queues").run_once()) == [("queue_size_warning:critical", "repeated")]
        raw.delete("queue:critical")
        (over,) = monitor("queues").run_once()
        assert (over.state, over.since, over.at) == ("recovered", NOW_S, NOW_S + 3600)
        assert monitor("queues").run_once() == []
        assert raw.hkeys("pl:health") == []

    def test_the_age_of_the_oldest_job(self, monitor, raw):
        fill(raw, "mail", 1, enqueued_at_ms=int((NOW_S - 61) * 1000))
        (alert,) = monitor("queues", thresholds=Thresholds(latencies_s={"mail": 60})).run_once()
        assert (alert.name, alert.value, alert.threshold) == ("queue_latency_warning:mail", 61.0, 60)

    def test_other_checks_do_not_say_that_it_is_over(self, monitor, raw):
        fill(raw, "critical", 101)
        monitor("queues").run_once()
        assert states(monitor("processes").run_once()) == [("no_processes", "new")]
        assert len(raw.hkeys("pl:health")) == 2

    def test_of_many_monitors_at_a_time_one_tells(self, monitor, raw):
        fill(raw, "critical", 101)
        monitors = [monitor("queues") for _ in range(8)]
        start = threading.Barrier(8)

        def go(one):
            start.wait()
            return one.run_once()

        with ThreadPoolExecutor(8) as pool:
            told = [alert for alerts in pool.map(go, monitors) for alert in alerts]
        assert states(told) == [("queue_size_warning:critical", "new")]

    def test_a_record_is_replaced_only_by_who_has_seen_the_last_one(self, storage, raw):
        assert storage.run(health.swap("a", b"", b"first"))
        assert not storage.run(health.swap("a", b"", b"second"))
        assert not storage.run(health.swap("a", b"second", b""))
        assert raw.hget("pl:health", "a") == b"first"
        assert storage.run(health.swap("a", b"first", b""))
        assert not raw.exists("pl:health")

    def test_looking_tells_nobody_and_leaves_nothing(self, monitor, raw):
        fill(raw, "critical", 101)
        one = monitor("queues")
        assert states(one.look()) == [("queue_size_warning:critical", "new")]
        assert one.told == []
        assert not raw.exists("pl:health")


class TestProcesses:
    def test_a_worker_that_has_died_is_missed(self, monitor, raw):
        raw.sadd("processes", "host:1:aaaaaaaaaaaa")
        raw.hset("host:1:aaaaaaaaaaaa", "info", "{}")
        assert monitor("processes").run_once() == []
        raw.delete("host:1:aaaaaaaaaaaa")  # as when its record expires
        assert states(monitor("processes").run_once()) == [("no_processes", "new")]


class TestFailures:
    def test_of_a_class_are_read_from_the_metrics(self, monitor, raw):
        minute = "j|260921|14:13"  # NOW_S, in UTC
        raw.hset(minute, mapping={"Good|p": 500, "Good|f": 5, "Bad|p": 200, "Bad|f": 101})
        told = [monitor("failures").run_once() for _ in range(3)]
        assert [states(alerts) for alerts in told] == [[("high_failure_rate:Bad", "new")], [], []]
        assert told[0][0].value == 101

    def test_of_all_jobs_are_counted_from_look_to_look(self, monitor, raw):
        raw.mset({"stat:processed": 10_000, "stat:failed": 9_000})
        assert monitor("failures").run_once() == []
        raw.mset({"stat:processed": 10_200, "stat:failed": 9_150})
        (alert,) = monitor("failures").run_once()
        assert (alert.name, alert.value) == ("high_failure_rate", 0.75)
        raw.mset({"stat:processed": 10_400, "stat:failed": 9_150})
        assert states(monitor("failures").run_once()) == [("high_failure_rate", "recovered")]


class TestSinks:
    def test_one_that_fails_is_logged_and_does_not_stop_the_others(self, monitor, raw, caplog):
        fill(raw, "critical", 101)
        told = []

        def broken(alert):
            raise OSError("no mail server")

        monitor("queues", sinks=[broken, told.append, broken]).run_once()
        assert states(told) == [("queue_size_warning:critical", "new")]
        assert "no mail server" in caplog.text
        assert "queue_size_warning:critical" in caplog.text

    def test_what_no_sink_could_tell_is_told_by_the_next_run(self, monitor, raw):
        fill(raw, "critical", 101)
        is_down, told = [True], []

        def hook(alert):
            if is_down[0]:
                raise OSError("no network")
            told.append(alert)

        monitor("queues", sinks=[hook]).run_once()
        is_down[0] = False
        monitor("queues", sinks=[hook]).run_once()
        is_down[0] = True
        raw.delete("queue:critical")
        monitor("queues", sinks=[hook]).run_once()
        is_down[0] = False
        monitor("queues", sinks=[hook]).run_once()
        monitor("queues", sinks=[hook]).run_once()
        assert states(told) == [("queue_size_warning:critical", "new"), ("queue_size_warning:critical", "recovered")]

    def test_who_is_stopped_while_telling_leaves_the_rest_to_the_next_run(self, monitor, raw):
        fill(raw, "critical", 101)
        fill(raw, "default", 1001)
        told = []

        def hangs(alert):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            monitor("queues", sinks=[hangs]).run_once()
        monitor("queues", sinks=[told.append]).run_once()
        assert sorted(alert.subject for alert in told) == ["critical", "default"]

    def test_without_any_the_log_is_told(self, redis_url, caplog):
        fleet = Fleet(Config(redis=redis_url))
        HealthMonitor(checks=["processes"], fleet=fleet).run_once()
        fleet.close()
        assert "no worker process is running" in caplog.text


class TestRedis:
    def test_memory_that_fills(self, monitor, own_redis):
        with own_redis.client() as client:
            client.setrange("pl:ballast", 20_000_000, "x")
            own_redis.config_set(maxmemory=int(client.info()["used_memory"] / 0.85))
        one = monitor("redis", url=own_redis.url)
        assert states(one.run_once()) == [("redis_memory_warning", "new")]
        assert one.run_once() == []
        own_redis.config_set(maxmemory=0)
        assert states(one.run_once()) == [("redis_memory_warning", "recovered")]

    def test_a_full_server_cannot_remember_and_the_alert_is_told_all_the_same(self, monitor, own_redis):
        with own_redis.client() as client:
            client.setrange("pl:ballast", 20_000_000, "x")
            own_redis.config_set(maxmemory=int(client.info()["used_memory"] * 0.9))
            one = monitor("redis", "failures", url=own_redis.url)
            assert states(one.run_once()) == [("redis_memory_warning", "new")]
            assert one.run_once() == []  # this object remembers by itself
            client.delete("pl:ballast")
            assert states(one.run_once()) == [("redis_memory_warning", "recovered")]

    def test_a_server_that_is_down_and_comes_back(self, monitor, own_redis, clock):
        one = monitor("redis", "queues", url=own_redis.url)
        assert one.run_once() == []
        own_redis.kill()
        (alert,) = one.run_once()
        assert (alert.name, alert.state, alert.level) == ("redis_unreachable", "new", "critical")
        assert "redis.sock" in alert.message
        clock.now_s += 60
        assert one.run_once() == []
        own_redis.start()
        assert states(one.run_once()) == [("redis_unreachable", "recovered")]
        assert one.run_once() == []


class TestProbes:
    def test_a_number_of_the_business_is_told_and_its_end_too(self, monitor, raw):
        unsent = [2]
        probe = Probe("unsent orders", lambda: unsent[0], most=0)
        fill(raw, "critical", 101)
        assert states(monitor("queues", probes=[probe]).run_once()) == [
            ("queue_size_warning:critical", "new"),
            ("probe:unsent orders", "new"),
        ]
        assert monitor("queues").run_once() == []  # a monitor without this probe does not take it for over
        unsent[0] = 0
        assert states(monitor("queues", probes=[probe]).run_once()) == [("probe:unsent orders", "recovered")]

    def test_goes_on_without_redis(self, monitor, own_redis):
        own_redis.kill()
        one = monitor("queues", url=own_redis.url, probes=[Probe("unsent orders", lambda: 1, most=0)])
        assert states(one.run_once()) == [("redis_unreachable", "new"), ("probe:unsent orders", "new")]


def test_a_loop_goes_on_until_it_is_stopped(monitor, raw):
    stop = threading.Event()
    seen = []

    def sink(alert):
        seen.append(alert.state)
        if len(seen) == 1:
            raw.delete("queue:critical")
        else:
            stop.set()

    fill(raw, "critical", 101)
    monitor("queues", sinks=[sink]).watch(every_s=0.001, stop=stop)
    assert seen == ["new", "recovered"]
