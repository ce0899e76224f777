"""Time travel: the clock by which jobs of fake mode are scheduled and retried.

Only Pillion's clock moves. `time.time()` of your own code does not: for that take freezegun or
time-machine, which this clock follows.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pillion.testing.mode import SwappableHome
from pillion.testing.modes import current


def now(home: SwappableHome | None = None) -> datetime:
    """The moment that it is for the jobs of this mode, with a time zone. Raises NotTesting without one."""
    return datetime.fromtimestamp(current(home).clock.now_s(), UTC)


def travel(
    *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0, home: SwappableHome | None = None
) -> datetime:
    """Let so much time pass, until the mode ends. Returns the new time. `drain` then runs what has come due."""
    passed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if passed < timedelta(0):
        raise ValueError(f"travel: expected a time forward, got {passed}. A new fake mode begins with the real time.")
    current(home).clock.pass_s(passed.total_seconds())
    return now(home)


def travel_to(moment: datetime, *, home: SwappableHome | None = None) -> datetime:
    """Go to a moment in the future, an aware datetime. Returns the new time."""
    if moment.utcoffset() is None:
        raise ValueError(f"travel_to: expected a datetime with a time zone, got the naive {moment!r}.")
    return travel(seconds=(moment - now(home)).total_seconds(), home=home)


def travel_to_next(*, home: SwappableHome | None = None) -> datetime | None:
    """Go to when the next scheduled or failed job is due. Returns that time, or None if none waits for its time."""
    mode = current(home)
    now_s = mode.clock.now_s()
    later = mode.queues.waiting(lambda entry: entry.due_s > now_s)
    if not later:
        return None
    mode.clock.pass_s(later[0].due_s - now_s)
    return now(home)
