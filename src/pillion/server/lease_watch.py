"""LeaseWatch: which owners are dead, as far as their leases can tell.

Design record. A lease that nobody renews may mean a dead owner, or that nobody *could* renew: Redis was
away, its clock jumped, a snapshot was restored. So three things come together before an owner counts as dead.

- Its lease has ended.
- It was late at an earlier look already, longer ago than a renewal takes: what lives has renewed by now, even
  if all leases vanished at once. The first look comes while the lease still runs, as soon as the owner has
  missed a renewal. So the second look can be just when the lease ends, and costs no further wait.
- This watch has been in touch with Redis for a whole lease time without a fault, and without a gap. After a
  gap (we were suspended, say) it cannot know what Redis went through meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pillion.wire import keys

RENEW_EVERY_S = 5.0
# A renewal missed. What is left of a lease then is not shorter than the longest pause between two sweeps and a
# second look: so the first look is never too late for the second to come when the lease ends.
LATE_S = RENEW_EVERY_S + 1.0
# Longer than the renewal period: a living owner has renewed its lease by the second look.
SECOND_LOOK_S = 6.0
# So that a lease has surely ended when it is looked at again.
AFTER_THE_END_S = 0.05


class LeaseWatch:
    """Looks at leases again and again. `monotonic` is the clock it goes by."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._late_since: dict[str, float] = {}
        self._due_s: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._in_touch_at = monotonic()
        self._trusted_from = self._in_touch_at + keys.ALIVE_TTL_S

    @property
    def suspects(self) -> set[str]:
        """The owners that were late at the last look."""
        return set(self._late_since)

    def in_touch(self) -> None:
        """Redis has answered."""
        now_s = self._monotonic()
        if now_s - self._in_touch_at > keys.ALIVE_TTL_S:
            self.distrust()
        self._in_touch_at = now_s

    def distrust(self) -> None:
        """Redis was away, perhaps: others could not renew either. Give them a whole lease time."""
        self._in_touch_at = self._monotonic()
        self._trusted_from = self._in_touch_at + keys.ALIVE_TTL_S
        self._late_since.clear()
        self._due_s.clear()

    def look(self, left_s: Mapping[str, float]) -> list[str]:
        """Take in how long the lease of each owner still runs (0: it has ended); return those that are dead."""
        self.in_touch()
        now_s = self._monotonic()
        late = {identity: left for identity, left in left_s.items() if left < keys.ALIVE_TTL_S - LATE_S}
        self._late_since = {identity: self._late_since.get(identity, now_s) for identity in late}
        self._due_s = {
            identity: max(self._late_since[identity] + SECOND_LOOK_S, self._trusted_from, _end(now_s, left))
            for identity, left in late.items()
        }
        dead = [identity for identity, left in late.items() if not left and self._due_s[identity] <= now_s]
        self._given_up &= late.keys()
        for identity in dead:
            self._given_up.add(identity)
            del self._late_since[identity]
        return dead

    def next_look_s(self) -> float | None:
        """In how many seconds to look again, for the sake of suspects; None: there are none.

        Whoever has counted as dead before and is still there could not be recovered in full. That is left to the
        ordinary sweeps: looking at once, again and again, would not help it.
        """
        due = [self._due_s[identity] for identity in self._late_since if identity not in self._given_up]
        return max(0.0, min(due) - self._monotonic()) if due else None


def _end(now_s: float, left_s: float) -> float:
    return now_s + left_s + AFTER_THE_END_S if left_s else now_s
