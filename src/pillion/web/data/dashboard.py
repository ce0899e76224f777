"""The first screen, and the verdict alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from pillion.api.history import History, HistorySnapshot
from pillion.api.plan import Plan, ask, together
from pillion.api.redis_info import RedisSnapshot
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.web.data.cache import LONG_S, remembered
from pillion.web.data.groups import RawGroups, table
from pillion.web.data.models import (
    Chart,
    DashboardPage,
    DayCount,
    ErrorGroup,
    FirstSteps,
    Line,
    Mark,
    RedisCard,
    SetName,
    Verdict,
    Vital,
)
from pillion.web.data.overview import SETS, Overview, median_rtt_s, worst_first, wrong_key
from pillion.web.data.pulse import Pulse, per_minute, redis_card
from pillion.web.data.query import read_query
from pillion.web.data.redaction import Redact, show_all
from pillion.web.data.source import Source
from pillion.web.data.trends import MINUTES, Trends
from pillion.web.data.verdict import judge
from pillion.web.data.verdict_facts import Facts

MOST_DAYS: Final = 180
_QUEUES: Final = 8
_ERRORS: Final = 6
# Of both sets together no more than the page of one of them looks at.
_LOOKED_AT: Final[dict[SetName, int]] = {"retries": 6_000, "dead": 4_000}
_OVERDUE_S: Final = 60.0
_NO_QUERY: Final = read_query("")


def health(source: Source) -> Plan[Verdict]:
    """The verdict alone."""
    return judge((yield from _facts(source)))


def dashboard(source: Source, days: int, redact: Redact) -> Plan[DashboardPage]:
    """Everything of the first screen, in one round trip."""
    days = max(1, min(days, MOST_DAYS))
    facts, history = yield from together([_facts(source), _history(source, days)])
    return _page(source, facts, history, days, redact)


def _facts(source: Source) -> Plan[Facts]:
    now_s = source.now_s
    overview, pulse, marks, redis, overdue, *groups = yield from together(
        [
            source.overview(),
            source.pulse(),
            source.marks(),
            source.redis(),
            remembered(source.cache, "overdue", lambda: _overdue(now_s)),
            *(source.groups(name, _NO_QUERY, show_all, most) for name, most in _LOOKED_AT.items()),
        ]
    )
    config = source.fleet.config
    return Facts(now_s, overview, pulse, groups, redis, marks, overdue, config.dead_max_jobs, source.limits)


def _overdue(now_s: float) -> Plan[int]:
    count = yield from ask(tolerant(web.count_between(SETS["scheduled"], float("-inf"), now_s - _OVERDUE_S)))
    return 0 if isinstance(count, RedisError) else count


def _history(source: Source, days: int) -> Plan[HistorySnapshot]:
    return remembered(source.cache, ("history", days), History(days, fleet=source.fleet).read.plan, ttl_s=LONG_S)


def _page(source: Source, facts: Facts, history: HistorySnapshot, days: int, redact: Redact) -> DashboardPage:
    overview, summary = facts.overview, facts.overview.summary
    errors = _largest(facts.groups, redact, facts.marks)
    steps = FirstSteps(
        pushed=bool(summary.processed or summary.queues or summary.scheduled or summary.retries or summary.dead),
        started=bool(summary.processes),
        ran=bool(summary.processed),
    )
    return DashboardPage(
        frame=overview.frame([wrong_key(key) for raw in facts.groups for key in raw.wrong_keys]),
        verdict=judge(facts),
        vitals=vitals(overview, facts.pulse, source.trends, facts.now_s),
        queues=tuple(sorted(overview.queues, key=worst_first)[:_QUEUES]),
        errors=errors,
        errors_looked_at=sum(raw.looked_at for raw in facts.groups),
        errors_total=sum(raw.total for raw in facts.groups),
        days=days,
        per_day=_per_day(history),
        redis=_card(facts.redis, overview),
        steps=steps,
        is_new=not summary.processed,
    )


def _largest(
    raws: Sequence[RawGroups], redact: Redact, marks: Sequence[Mark]
) -> tuple[tuple[SetName, ErrorGroup], ...]:
    tables = [table(raw, redact, marks, most=_ERRORS) for raw in raws]
    found: list[tuple[SetName, ErrorGroup]] = [
        (one.set_name, group) for one in tables for group in one.groups if group.error_class
    ]
    return tuple(sorted(found, key=lambda pair: -pair[1].count)[:_ERRORS])


def _card(redis: RedisSnapshot, overview: Overview) -> RedisCard:
    return redis_card(redis, median_rtt_s(overview.processes))


def _per_day(history: HistorySnapshot) -> tuple[DayCount, ...]:
    days = sorted(history.processed)
    return tuple(
        DayCount(
            datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp(), history.processed[day], history.failed[day]
        )
        for day in days
    )


# -- the four tiles --------------------------------------------------------------------------------------


def vitals(overview: Overview, pulse: Pulse, trends: Trends, now_s: float) -> tuple[Vital, ...]:
    """Throughput, failures, oldest wait, used slots."""
    summary = overview.summary
    used = summary.busy / summary.slots if summary.slots else None
    return (
        _of_metrics("throughput", pulse, pulse.runs),
        _of_metrics("failures", pulse, pulse.failed),
        _of_samples("oldest_wait", summary.oldest_wait_s, trends.history("wait", now_s), now_s, pulse.marks),
        _of_samples("used_slots", used, trends.history("used", now_s), now_s, pulse.marks),
    )


def _of_metrics(name: str, pulse: Pulse, values: Sequence[float]) -> Vital:
    # Workers write their counts every some seconds: the minute that runs is not complete.
    lately, before = per_minute(values, first=1, last=3), per_minute(values, first=1, last=len(values) - 1)
    return Vital(name, lately, pulse.chart(name, values), before)


def _of_samples(
    name: str, value: float | None, history: Sequence[float | None], now_s: float, marks: Sequence[Mark]
) -> Vital:
    first = (now_s // 60 - MINUTES + 1) * 60
    times = tuple(first + 60 * number for number in range(MINUTES))
    chart = Chart(times, 60.0, (Line(name, tuple(history)),), tuple(marks))
    known = [sample for sample in history[:-1] if sample is not None]
    # Of a dashboard that has just been started, some minutes would be shown as an hour.
    return Vital(name, value, chart, sum(known) / len(known) if len(known) >= MINUTES // 2 else None)
