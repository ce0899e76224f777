"""Back-off of logins: whoever guesses passwords waits longer and longer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from pillion.web.errors import TooManyAttempts

_FREE_TRIES: Final = 5
_LONGEST_S: Final = 30.0
# Of names that somebody makes up, so many are remembered.
_MOST_NAMES: Final = 1000


def pause_s(failures: int) -> float:
    """How long nobody is let in after so many failures in a row: 0 for five, then 1, 2, 4 ... 30 seconds. Pure."""
    if failures < _FREE_TRIES:
        return 0.0
    return min(_LONGEST_S, 2.0 ** min(failures - _FREE_TRIES, 10))


class Backoff:
    """Failures by name. Safe to use from several threads. `clock` is seconds that only grow.

    By name and not by address: behind a proxy everybody has the same one. Whoever is locked out by somebody
    else's guesses waits 30 seconds at most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def check(self, name: str) -> None:
        """Raise TooManyAttempts while `name` has to wait."""
        with self._lock:
            count, at_s = self._failures.get(name, (0, 0.0))
        left_s = at_s + pause_s(count) - self._clock()
        if count and left_s > 0:
            raise TooManyAttempts(left_s)

    def note(self, name: str, *, passed: bool) -> None:
        """Remember how a try ended."""
        with self._lock:
            count, _ = self._failures.pop(name, (0, 0.0))
            if not passed:
                self._failures[name] = (count + 1, self._clock())
            while len(self._failures) > _MOST_NAMES:
                self._failures.popitem(last=False)
