"""Time on the wire: integers are milliseconds, floats are seconds, whatever their size.

Sidekiq 8 writes integers, Sidekiq 6 and 7 wrote floats; only the JSON type tells them apart
(wire-format 0.2). Scores of sorted sets are always float seconds.
"""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Final

from pillion.errors import InvalidJob
from pillion.wire.text import shown

# Numbers below this are "in so many seconds", from it on they are points in time (behaviour 1.1).
RELATIVE_BELOW_S: Final = 1_000_000_000

_NOT_A_TIME_MS: Final = 10**300  # an integer from here on cannot be divided as a float

Interval = int | float | timedelta | datetime


def to_seconds(value: object) -> float | None:
    """Read a payload's timestamp (`created_at`, `enqueued_at`, `failed_at`, `retried_at`).

    An int is epoch milliseconds, a float epoch seconds (wire-format 0.2). Returns epoch seconds,
    or None for what is no time at all: a reader must survive missing and odd values.
    """
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value / 1000 if abs(value) < _NOT_A_TIME_MS else None
    return None


def to_ms(seconds: float) -> int:
    """Turn epoch seconds into the integer milliseconds that Pillion writes, rounding down."""
    return math.floor(seconds * 1000)


def due_at(interval: Interval, now_s: float) -> float:
    """Turn what `perform_in` or `perform_at` was given into epoch seconds.

    A number below 1 000 000 000 and a timedelta count from `now_s` (epoch seconds); a larger
    number and an aware datetime are points in time (behaviour 1.1). The result may lie in the past,
    which means now. Raises InvalidJob("at") for anything else, a naive datetime included: it does
    not say which moment it means.
    """
    if isinstance(interval, datetime):
        return _moment(interval)
    seconds = interval.total_seconds() if isinstance(interval, timedelta) else _number(interval)
    if isinstance(interval, timedelta) or seconds < RELATIVE_BELOW_S:
        return now_s + seconds
    return seconds


def _moment(value: datetime) -> float:
    if value.utcoffset() is None:
        raise InvalidJob(
            "at",
            f"at: expected a datetime with a time zone, got the naive {value!r}. "
            "Use datetime.now(timezone.utc) or give it a tzinfo, so that every machine reads the same moment.",
        )
    return value.timestamp()


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise InvalidJob(
        "at", f"at: expected seconds as a number, a timedelta or an aware datetime, got {shown(value)}.{_hint(value)}"
    )


def _hint(value: object) -> str:
    if isinstance(value, str):
        return " Text is not read as a time: for five minutes from now write timedelta(minutes=5) or 300."
    if isinstance(value, date):
        return " A date has no time of day: combine it into an aware datetime."
    return ""
