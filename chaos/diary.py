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
# An acknowledgement leaves within 10 ms; the machine is busy.
LEAVES_WITHIN_S = 0.25


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
class Trouble:
    """A time in which Redis or the line to it did not work as it should. `whom`: these families; None: everybody."""

    begin: float
    end: float
    whom: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """A time in which a process stood still."""

    pid: int
    begin: float
    end: float


@dataclass
class Diary:
    """What befell processes, and Redis or the line to it. `families` says to which family a process belonged."""

    fates: list[Fate] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    sleeps: list[Sleep] = field(default_factory=list)
    families: dict[int, str] = field(default_factory=dict)
    web_away: list[Trouble] = field(default_factory=list)  # times in which the dashboard was dead, or asleep

    def note(self, pids: Iterable[int], why: str, *, since: float | None = None, lasts: float = 0.0) -> None:
        now = time.monotonic()
        self.fates += [Fate(pid, why, now if since is None else since, now + lasts) for pid in pids]

    def trouble(self, lasts: float, whom: frozenset[str] | None = None) -> Trouble:
        """One that begins now. Its end may be put off: what is to end it may come late."""
        now = time.monotonic()
        self.troubles.append(Trouble(now, now + lasts, whom))
        return self.troubles[-1]

    def without_web(self, lasts: float) -> Trouble:
        """The dashboard is away from now on."""
        now = time.monotonic()
        self.web_away.append(Trouble(now, now + lasts))
        return self.web_away[-1]

    def slept(self, pid: int, since: float) -> None:
        """It wakes up now."""
        self.sleeps.append(Sleep(pid, since, time.monotonic()))

    def by_pid(self) -> dict[int, list[Fate]]:
        found: dict[int, list[Fate]] = {}
        for fate in self.fates:
            found.setdefault(fate.pid, []).append(fate)
        return found

    def away(self, pid: int, at: float) -> bool:
        """Whether this process could not tell Redis anything at that time."""
        asleep = any(sleep.begin <= at <= sleep.end for sleep in self._sleeps_of(pid))
        return asleep or bool(self._troubles_of(pid, at))

    def unsaid_since(self, pid: int, at: float) -> float:
        """A job that this process had finished by then may still have been without its acknowledgement at `at`.

        It leaves in the moment after (LEAVES_WITHIN_S) in which the process is awake and Redis can be had.
        """
        since = min([at, *(trouble.begin for trouble in self._troubles_of(pid, at))]) - LEAVES_WITHIN_S
        for sleep in sorted(self._sleeps_of(pid), key=lambda sleep: -sleep.end):
            if sleep.begin < at and sleep.end > since:
                since = min(since, sleep.begin - LEAVES_WITHIN_S)
        return since

    def _troubles_of(self, pid: int, at: float) -> list[Trouble]:
        """Those that this process had not got over at that time. Who sleeps only does so when it is awake again."""
        sleeps = self._sleeps_of(pid)
        found: list[Trouble] = []
        for trouble in self.troubles:
            if not self._concerns(trouble, pid):
                continue
            got_over = trouble.end + REACHED_AGAIN_S
            woke = [sleep.end for sleep in sleeps if sleep.begin < got_over and trouble.begin < sleep.end]
            if trouble.begin < at < max([trouble.end, *woke]) + REACHED_AGAIN_S:
                found.append(trouble)
        return found

    def _concerns(self, trouble: Trouble, pid: int) -> bool:
        """A process whose family is not known may have been anybody's."""
        return trouble.whom is None or self.families.get(pid) in (None, *trouble.whom)

    def _sleeps_of(self, pid: int) -> list[Sleep]:
        return [sleep for sleep in self.sleeps if sleep.pid == pid]
