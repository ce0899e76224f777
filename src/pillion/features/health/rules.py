"""What is compared with the thresholds: measurements in, alerts out, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pillion.api.doctor_facts import counted
from pillion.api.redis_info import RedisSnapshot
from pillion.api.stats import QueueSummary
from pillion.features.health import alert as kinds
from pillion.features.health.alert import Alert, AlertLevel
from pillion.features.health.thresholds import Thresholds

# A queue with so many times its threshold is critical, below that a warning.
CRITICAL_FACTOR = 2.0
CRITICAL_SHARE = 0.95


@dataclass(slots=True, frozen=True)
class Counted:
    """The all-time counters: `processed` has the failed jobs in it."""

    processed: int
    failed: int


def process_alerts(count: int, limits: Thresholds) -> list[Alert]:
    """Too few workers: `count` of them live."""
    if count >= limits.min_processes:
        return []
    what = "no worker process is running" if not count else f"{count} of {limits.min_processes} worker processes run"
    return [Alert(kinds.NO_PROCESSES, "", count, limits.min_processes, what, "critical")]


def queue_alerts(queues: Sequence[QueueSummary], limits: Thresholds) -> list[Alert]:
    """Too many jobs in a queue, or one that has waited too long; the gravest first."""
    found: list[Alert] = []
    for queue in queues:
        size, latency_s = limits.size_of(queue.name), limits.latency_of_s(queue.name)
        if size is not None and queue.size > size:
            what = f"queue {queue.name} has {counted(queue.size, 'job')} (limit {size})"
            found.append(Alert(kinds.QUEUE_SIZE, queue.name, queue.size, size, what, _level(queue.size, size)))
        if latency_s is not None and queue.latency_s > latency_s:
            waited_s = round(queue.latency_s, 3)
            what = f"queue {queue.name} is {waited_s:.1f} s behind (limit {latency_s:g} s)"
            level = _level(waited_s, latency_s)
            found.append(Alert(kinds.QUEUE_LATENCY, queue.name, waited_s, latency_s, what, level))
    return sorted(found, key=lambda alert: alert.level)


def failure_alerts(failures: Mapping[str, int], limits: Thresholds) -> list[Alert]:
    """Job classes that failed too often; `failures` is class to number in the window of the thresholds."""
    most, minutes = limits.max_failures, limits.failure_window_minutes
    if most is None:
        return []
    return [
        Alert(
            kinds.FAILURES, name, count, most, f"{name} failed {counted(count, 'time')} in {minutes} min (limit {most})"
        )
        for name, count in sorted(failures.items())
        if count > most
    ]


def share_alerts(before: Counted | None, now: Counted, limits: Thresholds) -> list[Alert]:
    """Too large a share of all jobs failed since the last look. Counters that were set back say nothing."""
    most = limits.max_failure_share
    if most is None or before is None:
        return []
    ran, failed = now.processed - before.processed, now.failed - before.failed
    if ran < max(1, limits.min_jobs) or failed / ran <= most:
        return []
    what = f"{failed} of {counted(ran, 'job')} failed since the last look: {failed / ran:.0%} (limit {most:.0%})"
    return [Alert(kinds.FAILURES, "", round(failed / ran, 4), most, what)]


def redis_alerts(redis: RedisSnapshot, limits: Thresholds) -> list[Alert]:
    """Memory, connections and round trip of Redis."""
    return [*_memory(redis, limits), *_clients(redis, limits), *_latency(redis, limits)]


def _memory(redis: RedisSnapshot, limits: Thresholds) -> list[Alert]:
    used, room = redis.used_memory_bytes, redis.memory_limit_bytes
    if used is None:
        return []
    if limits.max_memory_bytes is not None and used > limits.max_memory_bytes:
        what = f"Redis uses {used} bytes (limit {limits.max_memory_bytes})"
        return [Alert(kinds.MEMORY, "", used, limits.max_memory_bytes, what)]
    most = limits.max_memory_share
    if most is None or not room or used / room <= most:
        return []
    share = used / room
    level: AlertLevel = "critical" if share > CRITICAL_SHARE else "warning"
    whose = "maxmemory" if redis.max_memory_bytes else "the machine's memory"
    return [
        Alert(kinds.MEMORY, "", round(share, 4), most, f"Redis uses {share:.0%} of {whose} (limit {most:.0%})", level)
    ]


def _clients(redis: RedisSnapshot, limits: Thresholds) -> list[Alert]:
    share, most = redis.clients_share, limits.max_clients_share
    if share is None or most is None or share <= most:
        return []
    what = f"Redis has {redis.connected_clients} of {redis.max_clients} clients: {share:.0%} (limit {most:.0%})"
    level: AlertLevel = "critical" if share > CRITICAL_SHARE else "warning"
    return [Alert(kinds.CLIENTS, "", round(share, 4), most, what, level)]


def _latency(redis: RedisSnapshot, limits: Thresholds) -> list[Alert]:
    rtt_s, most_s = redis.rtt_s, limits.max_rtt_s
    if rtt_s is None or most_s is None or rtt_s <= most_s:
        return []
    what = f"Redis answers after {rtt_s * 1000:.1f} ms (limit {most_s * 1000:g} ms)"
    return [Alert(kinds.LATENCY, "", round(rtt_s, 6), most_s, what, _level(rtt_s, most_s))]


def _level(value: float, threshold: float) -> AlertLevel:
    return "critical" if value > threshold * CRITICAL_FACTOR else "warning"
