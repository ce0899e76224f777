"""The survey that every page begins with, read: processes, queues, the bar on top."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.plan import Plan, ask_all
from pillion.api.process_data import ProcessData
from pillion.api.record import JobData
from pillion.api.redis_info import read_snapshot
from pillion.errors import RedisError
from pillion.features.health.thresholds import Thresholds
from pillion.storage.ops import server, stats, web
from pillion.storage.ops.base import Op, tolerant
from pillion.web.data.lost import Lost
from pillion.web.data.models import CapsuleRow, Frame, Health, Problem, ProcessRow, QueueRow, SetName, Summary
from pillion.web.data.partial import waiting_since
from pillion.web.data.texts import clean, short
from pillion.web.data.trends import Trends
from pillion.wire import keys

# A process beats every 10 s; with 60 s it is gone.
LATE_AFTER_S: Final = 30.0
# What waits longer than this is slow, where nobody said otherwise.
WAIT_TARGET_S: Final = 60.0
DEFAULT_QUEUE: Final = "default"
SETS: Final[dict[SetName, str]] = {"scheduled": keys.SCHEDULE, "retries": keys.RETRY, "dead": keys.DEAD}


@dataclass(slots=True, frozen=True)
class Overview:
    """What the first look at a fleet says. `processes` are those that live; `sizes` is set name to size.

    `lost` are those that died lately: identity, and when that was seen.
    """

    taken_at: float
    summary: Summary
    processes: tuple[ProcessRow, ...]
    queues: tuple[QueueRow, ...]
    hidden_queues: int
    sizes: Mapping[str, int]
    problems: tuple[Problem, ...]
    redis_version: str
    lost: tuple[tuple[str, float], ...] = ()

    def frame(self, problems: Sequence[Problem] = ()) -> Frame:
        """What every page has."""
        runtimes = {process.runtime for process in self.processes}
        return Frame(
            summary=self.summary,
            taken_at=self.taken_at,
            problems=(*self.problems, *problems),
            has_ruby="sidekiq" in runtimes,
            has_pillion="pillion" in runtimes,
            redis_version=self.redis_version,
        )

    def queue(self, name: str) -> QueueRow:
        """A queue by name; an empty one if it is not known."""
        empty = QueueRow(name, 0, 0.0, **_served(name, self.processes))
        return next((queue for queue in self.queues if queue.name == name), empty)


def ask_overview(now_s: float, trends: Trends, limits: Thresholds, lost: Lost) -> Plan[Overview]:
    """Ask for it, in one round trip. `trends` takes the sizes as a sample."""
    names = (keys.STAT_PROCESSED, keys.STAT_FAILED)
    counters: list[Op[Any]] = [tolerant(stats.total(key)) for key in names]
    sizes: list[Op[Any]] = [tolerant(stats.job_set_size(key)) for key in SETS.values()]
    survey, who, *numbers = yield from ask_all([web.survey(), tolerant(server.who()), *counters, *sizes])
    return read_overview(survey, numbers, _version(who), now_s, trends, limits, lost)


def read_overview(
    survey: web.Survey,
    numbers: Sequence[Any],
    redis_version: str,
    now_s: float,
    trends: Trends,
    limits: Thresholds,
    lost: Lost,
) -> Overview:
    """What was answered, in rows. `numbers`: processed, failed, sizes of the three sets; each may be a RedisError."""
    problems = [wrong_key(key) for key in survey.wrong_keys]
    problems += [refused(part, reply) for part, reply in zip(_PARTS, numbers, strict=True) if _is_error(reply)]
    processed, failed, scheduled, retries, dead = (0 if _is_error(reply) else int(reply) for reply in numbers)
    processes = _processes(survey, now_s)
    queues = tuple(_queue_row(look, survey, processes, now_s, target_s(look.name, limits)) for look in survey.queues)
    summary = Summary(
        processed=processed,
        failed=failed,
        busy=sum(process.busy for process in processes),
        slots=sum(process.slots for process in processes),
        processes=len(processes),
        enqueued=sum(queue.size for queue in queues),
        scheduled=scheduled,
        retries=retries,
        dead=dead,
        queues=survey.known_queues,
        oldest_wait_s=max((queue.wait_s for queue in queues if not queue.is_paused), default=0.0),
        default_wait_s=next((queue.wait_s for queue in queues if queue.name == DEFAULT_QUEUE), 0.0),
    )
    _sample(trends, now_s, summary, queues)
    gone = lost.note(now_s, [name for name, fields in survey.processes if "info" not in fields])
    sizes = {"scheduled": scheduled, "retries": retries, "dead": dead}
    rows = tuple(_with_trend(queue, trends, now_s) for queue in queues)
    hidden = survey.known_queues - len(queues)
    return Overview(now_s, summary, processes, rows, hidden, sizes, tuple(problems), redis_version, gone)


def _version(info: Any) -> str:
    """Such as "Redis 7.0.15"; "" if it does not tell."""
    if _is_error(info):
        return ""
    redis = read_snapshot(info, {})
    return short(f"{redis.store} {redis.version or ''}".strip(), 60) if redis.store != "unknown" else ""


_PARTS: Final = (keys.STAT_PROCESSED, keys.STAT_FAILED, *SETS.values())


def _is_error(reply: object) -> bool:
    return isinstance(reply, RedisError)


def wrong_key(key: str) -> Problem:
    """A key that holds something else than it should."""
    text = f"The key {short(key)!r} has a wrong type: something else writes to it. It is left out here."
    return Problem(short(key), "wrong_type", text, {"key": short(key)})


def refused(part: str, error: RedisError) -> Problem:
    """A part that Redis did not answer."""
    return Problem(part, "refused", short(str(error), 300), {"part": part})


# -- processes -------------------------------------------------------------------------------------------


def _processes(survey: web.Survey, now_s: float) -> tuple[ProcessRow, ...]:
    living = [
        (ProcessData(name, fields), name in survey.owners) for name, fields in survey.processes if "info" in fields
    ]
    usual = Counter((is_ours, data.version) for data, is_ours in living)
    most = {is_ours: version for (is_ours, version), _ in reversed(usual.most_common())}
    rows = (_process_row(data, survey, is_ours=is_ours, usual=most[is_ours], now_s=now_s) for data, is_ours in living)
    return tuple(sorted(rows, key=lambda row: row.identity))


def _process_row(data: ProcessData, survey: web.Survey, *, is_ours: bool, usual: str, now_s: float) -> ProcessRow:
    age_s = None if data.beat_at is None else max(0.0, now_s - data.beat_at)
    return ProcessRow(
        identity=data.identity,
        hostname=short(data.hostname),
        pid=data.pid,
        tag=short(data.tag),
        labels=tuple(short(label, 60) for label in data.labels[:20]),
        version=short(data.version, 40),
        runtime="pillion" if is_ours else "sidekiq",
        queues=tuple(data.queues),
        capsules=tuple(
            CapsuleRow(short(one.name), one.concurrency, short(one.mode, 20), tuple(one.weights.items()))
            for one in data.capsules.values()
        ),
        started_at=data.started_at,
        beat_at=data.beat_at,
        beat_age_s=age_s,
        rtt_s=None if data.rtt_us is None else data.rtt_us / 1e6,
        rss_bytes=None if data.rss_kib is None else data.rss_kib * 1024,
        busy=data.busy,
        slots=data.concurrency,
        is_late=age_s is not None and age_s > LATE_AFTER_S,
        is_quiet=data.is_quiet,
        is_embedded=data.is_embedded,
        is_leader=bool(survey.leader) and survey.leader == data.identity,
        is_odd_version=data.version != usual,
    )


def median_rtt_s(processes: Sequence[ProcessRow]) -> float | None:
    """The median of the round trips that processes have measured."""
    return statistics.median([row.rtt_s for row in processes if row.rtt_s is not None] or [0.0]) or None


# -- queues ----------------------------------------------------------------------------------------------


def target_s(queue: str, limits: Thresholds) -> float:
    """How long a job of this queue may wait."""
    said = limits.latency_of_s(queue)
    return WAIT_TARGET_S if said is None else said


def _queue_row(
    look: web.QueueLook, survey: web.Survey, processes: Sequence[ProcessRow], now_s: float, most_s: float
) -> QueueRow:
    size, wait_s = look.size or 0, _wait_s(look, now_s)
    is_paused = look.name in survey.paused
    served = _served(look.name, processes)
    level = _level(size, is_slow=wait_s > most_s, is_paused=is_paused, is_served=served["is_served"])
    return QueueRow(look.name, size, wait_s, is_paused=is_paused, level=level, **served)


def _wait_s(look: web.QueueLook, now_s: float) -> float:
    if not look.size:
        return 0.0
    if not look.is_cut:
        return JobData(look.oldest).waited_s(now_s)
    since = waiting_since(look.oldest)
    return 0.0 if since is None else max(0.0, now_s - since)


def _served(name: str, processes: Sequence[ProcessRow]) -> dict[str, Any]:
    """Who takes jobs of a queue. A process that does not say what it serves may serve anything."""
    working = [process for process in processes if not process.is_quiet]
    serving = [process for process in working if name in process.queues]
    slots = sum(_slots_for(name, process) for process in serving)
    is_served = bool(serving) or any(not process.queues for process in working)
    return {"workers": len(serving), "slots": slots, "is_served": is_served}


def _slots_for(name: str, process: ProcessRow) -> int:
    of_capsules = [one.slots for one in process.capsules if any(queue == name for queue, _ in one.queues)]
    return sum(of_capsules) if of_capsules else process.slots


def _level(size: int, *, is_slow: bool, is_paused: bool, is_served: bool) -> Health:
    if not size:
        return "ok"
    if is_paused:
        return "warn"
    if not is_served:
        return "fail"
    return "warn" if is_slow else "ok"


# -- trends ----------------------------------------------------------------------------------------------


def _sample(trends: Trends, now_s: float, summary: Summary, queues: Sequence[QueueRow]) -> None:
    values: dict[str, float] = {"wait": summary.oldest_wait_s}
    if summary.slots:
        values["used"] = summary.busy / summary.slots
    values.update({f"queue:{queue.name}": queue.size for queue in queues})
    trends.add(now_s, values)


def _with_trend(queue: QueueRow, trends: Trends, now_s: float) -> QueueRow:
    change = trends.per_minute(f"queue:{queue.name}", now_s, queue.size)
    drains_in_s = queue.size / -change * 60 if change is not None and change < 0 and queue.size else None
    return QueueRow(
        queue.name,
        queue.size,
        queue.wait_s,
        is_paused=queue.is_paused,
        is_served=queue.is_served,
        workers=queue.workers,
        slots=queue.slots,
        level=queue.level,
        change_per_min=change,
        drains_in_s=drains_in_s,
        sizes=trends.history(f"queue:{queue.name}", now_s),
    )


def worst_first(queue: QueueRow) -> tuple[int, float, int, str]:
    """For sorting: what needs somebody comes first, then what waits longest."""
    return ({"fail": 0, "warn": 1, "ok": 2}[queue.level], -queue.wait_s, -queue.size, clean(queue.name))
