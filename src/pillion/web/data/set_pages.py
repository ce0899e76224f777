"""Scheduled, Retries, Dead: as a list, or as groups of errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.plan import Plan, ask_all, together
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.storage.ops.web import Direction
from pillion.web.data.bulk_record import ask_recent
from pillion.web.data.cache import remembered
from pillion.web.data.finding import MOST_ROWS, Found, ask_found, ask_page
from pillion.web.data.groups import LOOKED_AT, RawGroups, table
from pillion.web.data.models import Chart, DeadRule, GroupTable, Line, Pager, Problem, ScheduleFacts, SetName, SetPage
from pillion.web.data.overview import SETS, wrong_key
from pillion.web.data.query import Query, after, read_query
from pillion.web.data.redaction import Redact
from pillion.web.data.source import Source

_OVERDUE_S: Final = 30.0
_MINUTES: Final = 60
# The order of a list in which what needs somebody comes first.
_FIRST: Final[dict[SetName, Direction]] = {"scheduled": "asc", "retries": "asc", "dead": "desc"}


@dataclass(slots=True, frozen=True)
class SetAsk:
    """What is asked of the page of a set. `order` "" is the usual one; `window` only what failed within it."""

    view: str
    q: str
    window: str
    cursor: str
    page: int
    count: int
    order: str


def read_filter(q: str, window: str, now_s: float) -> Query:
    """A filter with its window of time."""
    query, since = read_query(q), after(now_s, window)
    return query if since is None else query.failed_since(since)


def set_page(source: Source, set_name: SetName, asked: SetAsk, redact: Redact) -> Plan[SetPage]:
    """The page of a set, in one round trip."""
    query = read_filter(asked.q, asked.window, _steady(source.now_s))
    is_grouped = asked.view == "groups" and set_name != "scheduled"
    order = asked.order if asked.order in ("asc", "desc") else _FIRST[set_name]
    direction: Direction = "asc" if order == "asc" else "desc"
    overview, found, groups, marks, facts, recent = yield from together(
        [
            source.overview(),
            _nothing() if is_grouped else _rows(set_name, direction, query, asked, redact),
            source.groups(set_name, query, redact, LOOKED_AT) if is_grouped else _nothing(),
            source.marks(),
            _facts(source, set_name),
            ask_recent(set_name, source.now_s),
        ]
    )
    total = overview.sizes[set_name]
    return SetPage(
        frame=overview.frame(_problems(found, groups)),
        set_name=set_name,
        view="groups" if is_grouped else "list",
        total=total,
        rows=() if found is None else tuple(hit.row(direction) for hit in found.hits),
        pager=Pager(max(1, asked.page), max(1, min(asked.count, MOST_ROWS)), total),
        order=order,
        search=_report(found, groups, query),
        groups=None if groups is None else table(groups, redact, marks),
        schedule=facts if isinstance(facts, ScheduleFacts) else None,
        dead_rule=facts if isinstance(facts, DeadRule) else None,
        bulk=recent,
    )


def errors(source: Source, set_name: SetName, q: str, window: str, redact: Redact) -> Plan[GroupTable]:
    """The groups alone."""
    query = read_filter(q, window, _steady(source.now_s))
    groups, marks = yield from together([source.groups(set_name, query, redact, LOOKED_AT), source.marks()])
    return table(groups, redact, marks)


def _steady(now_s: float) -> float:
    """The beginning of the minute: within it, a window is the same, and what was read for it can be kept."""
    return now_s // 60 * 60


def _nothing() -> Plan[None]:
    yield from ()


def _rows(set_name: SetName, direction: Direction, query: Query, asked: SetAsk, redact: Redact) -> Plan[Found]:
    key = SETS[set_name]
    if query.is_empty:
        return ask_page(key, direction, page=asked.page, count=asked.count, redact=redact)
    return ask_found([key], direction, query, redact=redact, cursor=asked.cursor, limit=asked.count)


def _problems(found: Found | None, groups: RawGroups | None) -> Iterator[Problem]:
    wrong: Sequence[str] = () if found is None else found.wrong_keys
    return (wrong_key(key) for key in (*wrong, *(() if groups is None else groups.wrong_keys)))


def _report(found: Found | None, groups: RawGroups | None, query: Query) -> Any:
    if query.is_empty and not query.misread:
        return None
    if found is not None:
        return found.report(query)
    whole = Found() if groups is None else Found([], groups.looked_at, groups.total)
    return whole.report(query)


# -- facts of one set ------------------------------------------------------------------------------------


def _facts(source: Source, set_name: SetName) -> Plan[ScheduleFacts | DeadRule | None]:
    if set_name == "scheduled":
        return remembered(source.cache, "schedule", lambda: _schedule(source.now_s))
    return _dead_rule(source) if set_name == "dead" else _nothing()


def _schedule(now_s: float) -> Plan[ScheduleFacts]:
    """What is due in each minute of the next hour, and what is late."""
    first = now_s // 60 * 60
    times = tuple(first + 60 * number for number in range(_MINUTES))
    key = SETS["scheduled"]
    asked = [tolerant(web.count_between(key, at_s, at_s + 60)) for at_s in times]
    late = tolerant(web.count_between(key, float("-inf"), now_s - _OVERDUE_S))
    *counts, overdue, next_at = yield from ask_all([*asked, late, tolerant(web.first_score(key))])
    values = tuple(None if isinstance(count, RedisError) else float(count) for count in counts)
    return ScheduleFacts(
        Chart(times, 60.0, (Line("due", values),)),
        0 if isinstance(overdue, RedisError) else overdue,
        None if isinstance(next_at, RedisError) else next_at,
    )


def _dead_rule(source: Source) -> Plan[DeadRule]:
    """How long the dead are kept, by the settings of this process."""
    config = source.fleet.config
    (oldest,) = yield from ask_all([tolerant(web.first_score(SETS["dead"]))])
    oldest_at = None if isinstance(oldest, RedisError) else oldest
    leaves_at = None if oldest_at is None else oldest_at + config.dead_timeout_s
    return DeadRule(config.dead_timeout_s, config.dead_max_jobs, oldest_at, leaves_at)
