"""The diary: what the driver did to whom and when, so that each repeated run can be set against its cause."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

# The kinds of death, and of what else may make a job run again.
WORKER_KILLED = "worker killed, its supervisor alive"
FAMILY_KILLED = "whole family killed, others on this host alive"
HOST_LOST = "host lost, others go by its lease"
LEASE_LOST = "asleep past its lease"
STOPPED = "handed back at the deadline of a stop"
UNHEARD = "told to stop, and Redis away until the deadline"
POISONED = "a job took its process with it"

# After a trouble a worker tries again each second, and some connections only break at their timeout of three.
REACHED_AGAIN_S = 4.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What befell a process, and when.

    `until` is when one that slept woke up; for one that was killed, when it was dead for sure: on a busy machine
    it may have begun another job between the two.
    """

    pid: int
    why: str
    at: float
    until: float


@dataclass
class Diary:
    """`troubles` are the times in which Redis or the line to it did not work as it should."""

    fates: list[Fate] = field(default_factory=list)
    troubles: list[tuple[float, float]] = field(default_factory=list)

    def note(self, pids: Iterable[int], why: str, *, since: float | None = None, lasts: float = 0.0) -> None:
        now = time.monotonic()
        self.fates += [Fate(pid, why, now if since is None else since, now + lasts) for pid in pids]

    def trouble(self, lasts: float) -> None:
        now = time.monotonic()
        self.troubles.append((now, now + lasts))

    def by_pid(self) -> dict[int, list[Fate]]:
        found: dict[int, list[Fate]] = {}
        for fate in self.fates:
            found.setdefault(fate.pid, []).append(fate)
        return found

    def away(self, at: float) -> bool:
        """Whether Redis could not be told anything at that time."""
        return any(begin < at < end + REACHED_AGAIN_S for begin, end in self.troubles)

    def grace(self, at: float) -> float:
        """How long before `at` a finished job may still have been without its acknowledgement in Redis.

        It leaves within 10 ms; a quarter of a second, as the machine is busy. If Redis was not to be had, since then.
        """
        near = [begin for begin, end in self.troubles if begin < at < end + REACHED_AGAIN_S]
        return 0.25 + (at - min(near) if near else 0.0)
