"""Processes that died lately, as a dashboard has seen it.

A process that ends in good order takes itself off the list. One that is killed stays listed after its record has
expired, until another process looks, within a minute or so; whoever watches in that time knows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

REMEMBERED_S: Final = 15 * 60
_MOST: Final = 1000


class Lost:
    """Who died, and when that was seen first (epoch s). Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def note(self, now_s: float, gone: Iterable[str]) -> tuple[tuple[str, float], ...]:
        """Note those that are gone now; returns all of the last 15 minutes, the newest first."""
        with self._lock:
            for identity in gone:
                if len(self._seen) < _MOST:
                    self._seen.setdefault(identity, now_s)
            self._seen = {name: at_s for name, at_s in self._seen.items() if now_s - at_s < REMEMBERED_S}
            return tuple(sorted(self._seen.items(), key=lambda pair: -pair[1]))
