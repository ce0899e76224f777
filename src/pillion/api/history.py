"""History: how many jobs were processed, and how many failed, on each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask, ask_all
from pillion.errors import ConfigError
from pillion.storage.ops import stats as ops
from pillion.wire import keys

MAX_DAYS = 1825  # five years: then the counters expire


@dataclass(slots=True, frozen=True)
class HistorySnapshot:
    """The counters of the days, newest day first. A day on which nothing ran has 0."""

    processed: dict[date, int]
    failed: dict[date, int]


class History:
    """The counters of the `days` (1 to 1825) up to `start`, the newest of them. All dates are UTC.

    Without `start` the newest day is today, at each call anew. Raises ConfigError for other `days`,
    and for a `start` that is no date.

        History(7).processed()   # {date(2026, 11, 22): 1042, date(2026, 11, 21): 998, ...}
    """

    def __init__(self, days: int, start: date | None = None, *, fleet: Fleet | None = None) -> None:
        _check(days, start)
        self.fleet = fleet or DEFAULT
        self.start = start
        self._days = days

    @property
    def days(self) -> list[date]:
        """The days, newest first."""
        newest = self.start or datetime.fromtimestamp(self.fleet.clock(), UTC).date()
        return [newest - timedelta(days=ago) for ago in range(self._days)]

    @call("MGET", cost="O(D), D = days")
    def processed(self) -> Plan[dict[date, int]]:
        """How many executions ended on each day, the failed ones included; newest day first."""
        return (yield from self._count(keys.STAT_PROCESSED))

    @call("MGET", cost="O(D), D = days")
    def failed(self) -> Plan[dict[date, int]]:
        """How many executions failed on each day, newest day first."""
        return (yield from self._count(keys.STAT_FAILED))

    @call("MGET", cost="O(D), D = days")
    def read(self) -> Plan[HistorySnapshot]:
        """Both at once."""
        days = self.days
        pair = [ops.per_day(key, days) for key in (keys.STAT_PROCESSED, keys.STAT_FAILED)]
        processed, failed = yield from ask_all(pair)
        return HistorySnapshot(dict(zip(days, processed, strict=True)), dict(zip(days, failed, strict=True)))

    def __repr__(self) -> str:
        return f"<History of {self._days} days up to {self.start or 'today'}>"

    def _count(self, stat_key: str) -> Plan[dict[date, int]]:
        days = self.days
        counts = yield from ask(ops.per_day(stat_key, days))
        return dict(zip(days, counts, strict=True))


def _check(days: object, start: object) -> None:
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MAX_DAYS:
        hint = "Redis forgets a day's counters after five years."
        raise ConfigError("days", f"a whole number from 1 to {MAX_DAYS}", days, hint)
    if start is None:
        return
    if not isinstance(start, date) or isinstance(start, datetime):
        hint = "Days are UTC: of an aware datetime give moment.astimezone(timezone.utc).date(), of a text "
        raise ConfigError("start", "a datetime.date or None", start, hint + "date.fromisoformat(text).")
    if start.toordinal() < days:
        raise ConfigError("start", f"a date with {days} days before it", start, "The calendar begins with year 1.")
