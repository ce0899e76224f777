"""What pages have in common for a second: so that twenty open dashboards cost Redis what one costs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from pillion.api.plan import Plan

T = TypeVar("T")

SHORT_S: Final = 1.0
LONG_S: Final = 10.0
_MOST_ENTRIES: Final = 200


@dataclass(slots=True)
class Cache:
    """Answers by key, each until its time is over. Safe to share between threads.

    `clock` is in seconds and may be any. What is kept is what was read, before anything was hidden from anybody.
    """

    clock: Callable[[], float]
    _entries: dict[Hashable, tuple[float, Any]] = field(default_factory=dict[Hashable, tuple[float, Any]])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable) -> Any:
        """The answer, or None."""
        with self._lock:
            until, value = self._entries.get(key, (0.0, None))
            return value if self.clock() < until else None

    def put(self, key: Hashable, value: Any, ttl_s: float) -> None:
        """Keep an answer for `ttl_s` seconds."""
        now_s = self.clock()
        with self._lock:
            if len(self._entries) >= _MOST_ENTRIES:
                self._entries = {name: entry for name, entry in self._entries.items() if entry[0] > now_s}
            if len(self._entries) >= _MOST_ENTRIES:
                self._entries.clear()
            self._entries[key] = (now_s + ttl_s, value)

    def clear(self) -> None:
        """Forget all: something was changed, and whoever did it wants to see it."""
        with self._lock:
            self._entries.clear()


def remembered(
    cache: Cache, key: Hashable, ask: Callable[[], Plan[T]], ttl_s: float | Callable[[T], float] = SHORT_S
) -> Plan[T]:
    """The answer of the plan that `ask` makes, or the one that is remembered. `ttl_s` may depend on the answer."""
    known = cache.get(key)
    if known is not None:
        return cast("T", known)
    value = yield from ask()
    cache.put(key, value, ttl_s(value) if callable(ttl_s) else ttl_s)
    return value
