"""What is an alert, and what is told of it when: without Redis (F210, F211, F215)."""

from dataclasses import replace

import pytest

from pillion.api.redis_info import RedisSnapshot
from pillion.api.stats import QueueSummary
from pillion.errors import ConfigError
from pillion.features.health import Alert, HealthMonitor, Probe, Thresholds
from pillion.features.health.memory import decide
from pillion.features.health.rules import (
    Counted,
    failure_alerts,
    process_alerts,
    queue_alerts,
    redis_alerts,
    share_alerts,
)

LIMITS = Thresholds()
MB = 1024**2


def waiting(queue, size, latency_s=0.0):
    return QueueSummary(queue, size, latency_s, is_paused=False)


def names(alerts):
    return [(alert.name, alert.level) for alert in alerts]


class TestThresholds:
    @pytest.mark.parametrize(
        ("queue", "size", "expected"),
        [
            ("critical", 100, []),
            ("critical", 101, [("queue_size_warning:critical", "warning")]),
            ("critical", 201, [("queue_size_warning:critical", "critical")]),
            ("default", 1000, []),
            ("default", 1001, [("queue_size_warning:default", "warning")]),
            ("low", 5000, []),
            ("low", 5001, [("queue_size_warning:low", "warning")]),
            ("another", 1000, []),
            ("another", 1001, [("queue_size_warning:another", "warning")]),
        ],
    )
    def test_sizes_unless_told_otherwise(self, queue, size, expected):
        assert names(queue_alerts([waiting(queue, size)], LIMITS)) == expected

    def test_latencies_are_of_one_queue_or_of_all_others(self):
        limits = Thresholds(latencies_s={"mail": 10}, max_latency_s=60)
        queues = [waiting("mail", 1, 10.5), waiting("slow", 1, 10.5), waiting("late", 1, 200.0)]
        assert names(queue_alerts(queues, limits)) == [
            ("queue_latency_warning:late", "critical"),
            ("queue_latency_warning:mail", "warning"),
        ]

    def test_none_switches_a_check_off(self):
        limits = Thresholds(sizes={}, max_size=None, max_failures=None, max_failure_share=None, max_memory_share=None)
        assert queue_alerts([waiting("mail", 10**6, 10**6)], limits) == []
        assert failure_alerts({"A": 10**6}, limits) == []
        assert share_alerts(Counted(0, 0), Counted(1000, 1000), limits) == []
        assert redis_alerts(RedisSnapshot("Redis", used_memory_bytes=9, max_memory_bytes=9), limits) == []

    def test_the_message_has_value_and_threshold(self):
        (alert,) = queue_alerts([waiting("mail", 1500)], LIMITS)
        assert (alert.value, alert.threshold, alert.subject) == (1500, 1000, "mail")
        assert alert.message == "queue mail has 1500 jobs (limit 1000)"

    @pytest.mark.parametrize(
        ("fields", "option"),
        [
            ({"max_size": -1}, "max_size"),
            ({"sizes": {"mail": "many"}}, "sizes.mail"),
            ({"latencies_s": {"mail": -5}}, "latencies_s.mail"),
            ({"max_memory_share": True}, "max_memory_share"),
        ],
    )
    def test_what_cannot_be_right_is_refused(self, fields, option):
        with pytest.raises(ConfigError) as caught:
            Thresholds(**fields)
        assert caught.value.option == option

    @pytest.mark.parametrize("checks", ["queues", ["queue"], []])
    def test_a_check_that_there_is_not(self, checks):
        with pytest.raises(ConfigError, match="processes, queues, failures, redis"):
            HealthMonitor(checks=checks)


class TestProcesses:
    @pytest.mark.parametrize(
        ("alive", "least", "level"),
        [(0, 1, ["critical"]), (1, 1, []), (1, 2, ["critical"]), (2, 2, []), (0, 0, [])],
    )
    def test_at_least_so_many(self, alive, least, level):
        found = process_alerts(alive, Thresholds(min_processes=least))
        assert [alert.level for alert in found] == level


class TestFailures:
    def test_of_one_class(self):
        assert names(failure_alerts({"A": 100, "B": 101}, LIMITS)) == [("high_failure_rate:B", "warning")]

    @pytest.mark.parametrize(
        ("before", "now", "fires"),
        [
            (None, Counted(1000, 1000), False),  # the first look
            (Counted(0, 0), Counted(99, 99), False),  # too few to tell
            (Counted(0, 0), Counted(100, 50), False),
            (Counted(0, 0), Counted(100, 51), True),
            (Counted(1000, 900), Counted(1100, 901), False),  # what was before does not count
            (Counted(1000, 900), Counted(500, 400), False),  # the counters were set back
        ],
    )
    def test_of_all_jobs_since_the_last_look(self, before, now, fires):
        assert bool(share_alerts(before, now, LIMITS)) is fires


class TestRedis:
    @pytest.mark.parametrize(
        ("redis", "expected"),
        [
            ({"used_memory_bytes": 80, "max_memory_bytes": 100}, []),
            ({"used_memory_bytes": 81, "max_memory_bytes": 100}, [("redis_memory_warning", "warning")]),
            ({"used_memory_bytes": 96, "max_memory_bytes": 100}, [("redis_memory_warning", "critical")]),
            (
                {"used_memory_bytes": 81, "max_memory_bytes": 0, "machine_memory_bytes": 100},
                [("redis_memory_warning", "warning")],
            ),
            ({"used_memory_bytes": 81}, []),
            ({"connected_clients": 91, "max_clients": 100}, [("redis_clients_warning", "warning")]),
            ({"connected_clients": 90, "max_clients": 100}, []),
            ({"rtt_s": 0.11}, [("redis_latency_warning", "warning")]),
            ({"rtt_s": 0.21}, [("redis_latency_warning", "critical")]),
            ({}, []),
        ],
    )
    def test_limits(self, redis, expected):
        assert names(redis_alerts(RedisSnapshot("Redis", **redis), LIMITS)) == expected

    def test_an_absolute_limit_of_memory(self):
        limits = Thresholds(max_memory_share=None, max_memory_bytes=10 * MB)
        assert redis_alerts(RedisSnapshot("Redis", used_memory_bytes=10 * MB), limits) == []
        assert len(redis_alerts(RedisSnapshot("Redis", used_memory_bytes=10 * MB + 1), limits)) == 1


class TestProbe:
    @pytest.mark.parametrize(("value", "message"), [(0, None), (1, "unsent orders: 1 (limit 0)")])
    def test_a_number_that_must_not_be_above(self, value, message):
        found = Probe("unsent orders", lambda: value, most=0).alerts()
        assert [alert.message for alert in found] == ([message] if message else [])

    def test_one_that_cannot_be_measured_is_critical(self):
        def measure():
            raise OSError("no database")

        (alert,) = Probe("unsent orders", measure, most=0).alerts()
        assert (alert.name, alert.level) == ("probe:unsent orders", "critical")
        assert "no database" in alert.message

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_no_number_cannot_be_measured(self, value):
        (alert,) = Probe("unsent orders", lambda: value, most=0).alerts()
        assert (alert.value, alert.level) == (0, "critical")
        assert "cannot be measured" in alert.message


class TestTelling:
    """One message for a state, another when it goes on for long, and one when it is over."""

    ALERT = Alert("queue_size_warning", "mail", 1500, 1000, "too many")
    KINDS = ("queue_size_warning",)

    def tell(self, known, alerts, now_s, kinds=KINDS):
        """What is told, as (state, since), and what is remembered afterwards."""
        tellings = decide(known, alerts, lambda alert: alert.kind in kinds, now_s=now_s, repeat_s=3600)
        memory = {**known, **{telling.alert.name: telling.record for telling in tellings}}
        return [(telling.alert.state, telling.alert.since) for telling in tellings], {
            k: v for k, v in memory.items() if v
        }

    def test_the_life_of_a_state(self):
        told, memory = self.tell({}, [self.ALERT], 1000.0)
        assert told == [("new", 1000.0)]
        told, memory = self.tell(memory, [self.ALERT], 1300.0)
        assert told == []
        told, memory = self.tell(memory, [self.ALERT], 4600.0)
        assert told == [("repeated", 1000.0)]
        told, memory = self.tell(memory, [self.ALERT], 4900.0)
        assert told == []
        told, memory = self.tell(memory, [], 5200.0)
        assert told == [("recovered", 1000.0)]
        assert memory == {}
        assert self.tell(memory, [], 5500.0) == ([], {})

    def test_what_becomes_critical_is_told_at_once(self):
        _, memory = self.tell({}, [self.ALERT], 1000.0)
        told, memory = self.tell(memory, [replace(self.ALERT, level="critical")], 1300.0)
        assert told == [("new", 1000.0)]
        assert self.tell(memory, [self.ALERT], 1600.0)[0] == []  # less bad again: nothing new

    def test_what_was_not_looked_at_is_not_over(self):
        _, memory = self.tell({}, [self.ALERT], 1000.0)
        assert self.tell(memory, [], 1300.0, kinds=("no_processes",)) == ([], memory)

    @pytest.mark.parametrize("raw", [b"", b"{", b"{}", b'{"kind": 1}', b'{"told_at": "x"}'])
    def test_a_record_that_cannot_be_read_is_replaced(self, raw):
        assert self.tell({self.ALERT.name: raw}, [self.ALERT], 1000.0)[0] == [("new", 1000.0)]
        assert self.tell({self.ALERT.name: raw}, [], 1000.0)[0] == []

    def test_the_text_says_what_state_it_is(self):
        alert = replace(self.ALERT, since=1000.0, at=1060.0)
        assert alert.text == "too many"
        assert replace(alert, state="repeated").text == "still: too many"
        assert replace(alert, state="recovered").text == "recovered, after 60 s: too many"
