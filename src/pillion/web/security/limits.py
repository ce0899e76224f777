"""How often one person may remove or end things: a script that has gone wild is stopped, a person is not."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from pillion.web.errors import Refusal

PER_MINUTE: Final = 10
_WINDOW_S: Final = 60.0
_MOST_NAMES: Final = 1000


def wait_s(times_s: deque[float], now_s: float, most: int = PER_MINUTE) -> float:
    """Seconds until one more is allowed, 0 for now; times outside of the last minute are taken out of `times_s`."""
    while times_s and times_s[0] <= now_s - _WINDOW_S:
        times_s.popleft()
    return 0.0 if len(times_s) < most else times_s[0] + _WINDOW_S - now_s


class RateLimit:
    """What somebody did in the last minute, such as removals. Of this process only. `clock` only grows, seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = PER_MINUTE) -> None:
        self._clock, self._most = clock, most
        self._lock = threading.Lock()
        self._by_name: dict[str, deque[float]] = {}

    def allows(self, who: str) -> bool:
        """Count one; False if there were too many in the last minute."""
        return self._count(who) <= 0

    def take(self, who: str) -> None:
        """Count one. Raises Refusal if there were ten in the last minute."""
        left_s = self._count(who)
        if left_s > 0:
            detail = (
                f"{self._most} removals in a minute are the most for one person. For many jobs, use a filter and one "
                f"action on all of them. Try again in {left_s:.0f} s."
            )
            raise Refusal("too_many", detail, (("retry-after", str(int(left_s) + 1)),))

    def _count(self, who: str) -> float:
        with self._lock:
            now_s = self._clock()
            times_s = self._by_name.setdefault(who, deque())
            left_s = wait_s(times_s, now_s, self._most)
            if left_s <= 0:
                times_s.append(now_s)
            while len(self._by_name) > _MOST_NAMES:
                del self._by_name[next(iter(self._by_name))]
        return left_s
