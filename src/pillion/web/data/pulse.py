"""The pulse: what ran and failed in the last hour, what was deployed, how Redis is. Read for several pages at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.deploy import read_marks
from pillion.api.fleet import Fleet
from pillion.api.metrics import Metrics, MetricsResult
from pillion.api.plan import Plan, ask_all
from pillion.api.redis_info import RedisSnapshot, read_snapshot
from pillion.errors import RedisError
from pillion.storage.ops import metrics as metric_ops
from pillion.storage.ops import server
from pillion.storage.ops.base import Op, tolerant
from pillion.web.data.models import Chart, Line, Mark, RedisCard
from pillion.web.data.texts import short
from pillion.wire import rollup

HOUR_MINUTES: Final = 60
RECENT_MINUTES: Final = 10
_SETTINGS: Final = ("save", "appendfsync", "maxclients")


@dataclass(slots=True, frozen=True)
class ClassPulse:
    """What a class did: in the last ten minutes, and in the fifty before."""

    name: str
    runs: int
    failed: int
    runs_before: int
    failed_before: int

    @property
    def share(self) -> float:
        """Failed of all runs lately."""
        return self.failed / self.runs if self.runs else 0.0

    @property
    def share_before(self) -> float | None:
        """The same before; None if it did not run."""
        return self.failed_before / self.runs_before if self.runs_before else None


@dataclass(slots=True, frozen=True)
class Pulse:
    """The last hour by minutes, oldest first. `usual_s` is the average time of a class (as metrics name it)."""

    times: tuple[float, ...]
    runs: tuple[float, ...]
    failed: tuple[float, ...]
    classes: tuple[ClassPulse, ...]
    usual_s: Mapping[str, float]
    marks: tuple[Mark, ...]

    def chart(self, name: str, values: Sequence[float | None]) -> Chart:
        """A chart of one line over this hour, without the minute that is not over."""
        return Chart(self.times[:-1], 60.0, (Line(name, tuple(values[:-1])),), self.marks)


def ask_pulse(fleet: Fleet) -> Plan[Pulse]:
    """The last hour. One round trip of 60 small reads."""
    result = yield from Metrics(fleet=fleet).top_jobs.plan(minutes=HOUR_MINUTES)
    return read_pulse(result)


def read_pulse(result: MetricsResult) -> Pulse:
    """The same from what the metrics say."""
    buckets = result.buckets
    recent = frozenset(buckets[-RECENT_MINUTES:])
    runs, failed = dict.fromkeys(buckets, 0.0), dict.fromkeys(buckets, 0.0)
    classes: list[ClassPulse] = []
    for name, job in result.job_results.items():
        for totals, metric in ((runs, rollup.RUNS), (failed, rollup.FAILURES)):
            for bucket, amount in job.series[metric].items():
                totals[bucket] += amount
        classes.append(_class_pulse(name, job.series, recent))
    return Pulse(
        times=tuple(rollup.read_label(bucket) or 0.0 for bucket in buckets),
        runs=tuple(runs.values()),
        failed=tuple(failed.values()),
        classes=tuple(classes),
        usual_s={name: job.total_avg("s") for name, job in result.job_results.items() if job.total_avg("s") > 0},
        marks=tuple(Mark(mark.at, short(mark.label, 80)) for mark in result.marks),
    )


def _class_pulse(name: str, series: Mapping[str, Mapping[str, float]], recent: frozenset[str]) -> ClassPulse:
    runs, failed = series[rollup.RUNS], series[rollup.FAILURES]
    lately = [int(sum(amount for bucket, amount in of.items() if bucket in recent)) for of in (runs, failed)]
    in_all = [int(sum(of.values())) for of in (runs, failed)]
    return ClassPulse(name, lately[0], lately[1], in_all[0] - lately[0], in_all[1] - lately[1])


def per_minute(values: Sequence[float], *, first: int, last: int) -> float | None:
    """The mean of some minutes, counted from the newest (0, which is not over yet); None without any."""
    part = values[len(values) - 1 - last : len(values) - first]
    return sum(part) / len(part) if part else None


# -- deploys ---------------------------------------------------------------------------------------------


def ask_marks(now_s: float) -> Plan[tuple[Mark, ...]]:
    """The deploys of today and yesterday, oldest first."""
    asked = [tolerant(metric_ops.marks(day)) for day in rollup.days(now_s - 86_400, now_s)]
    replies: list[Any] = yield from ask_all(asked)
    found = read_marks([reply for reply in replies if not isinstance(reply, RedisError)], rollup.MINUTE_S)
    return tuple(Mark(mark.at, short(mark.label, 80)) for mark in found)


# -- Redis -----------------------------------------------------------------------------------------------


def ask_redis(now_s: float) -> Plan[RedisSnapshot]:
    """What Redis says of itself, in one round trip; what it refuses to tell is None. Nothing is timed."""
    asked: list[Op[Any]] = [tolerant(server.info()), *(tolerant(server.setting(name)) for name in _SETTINGS)]
    info, *values = yield from ask_all(asked)
    told = {name: value for name, value in zip(_SETTINGS, values, strict=True) if isinstance(value, str)}
    return read_snapshot({} if isinstance(info, RedisError) else info, told, now_s=now_s)


def redis_card(redis: RedisSnapshot, rtt_s: float | None) -> RedisCard:
    """What a page shows of it."""
    limit = redis.memory_limit_bytes
    share = None if redis.used_memory_bytes is None or not limit else redis.used_memory_bytes / limit
    return RedisCard(
        store=redis.store,
        version=redis.version,
        uptime_s=redis.uptime_s,
        clients=redis.connected_clients,
        max_clients=redis.max_clients,
        used_bytes=redis.used_memory_bytes,
        peak_bytes=redis.peak_memory_bytes,
        limit_bytes=limit,
        has_maxmemory=bool(redis.max_memory_bytes),
        memory_share=share,
        policy=redis.maxmemory_policy,
        persistence=_persistence(redis),
        role=redis.role,
        evicted_keys=redis.evicted_keys,
        ops_per_s=redis.ops_per_s,
        rtt_s=rtt_s,
    )


def _persistence(redis: RedisSnapshot) -> Any:
    if redis.aof_enabled:
        return "aof"
    if redis.rdb_save_points is None:
        return "unknown"
    return "rdb" if redis.rdb_save_points.strip() else "none"
