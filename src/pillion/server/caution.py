"""Caution: a job that was in flight at two deaths runs alone, so that the third, if there is one, convicts nobody else.

Design record. One job that kills its process takes along all that run beside it. They come back together, would be
fetched together, and would be counted as suspects together, until they were buried together. So:

- Redis keeps a list of suspects: the jobs that came back from the dead twice (`reclaim.lua` enters them). Once is
  nothing: whoever is killed from outside (out of memory, a deployment, a lost host) leaves as many jobs as it had
  threads, and to run all of those one by one would cost more than it tells.
- A process that is cautious looks for each job it is about to start whether it is on its copy of that list. If so it
  hands back what it has buffered, lets its other jobs end, and runs this one alone. Jobs that come meanwhile go back
  to their queue: in our hands they would be counted.
- Nobody waits for ever: after CAUTIOUS_S a suspect starts beside what would not end, and others start beside it.
- A suspect that has ended, however it ended, is struck off. One that was interrupted and handed back has not ended.

A process is cautious while the list is not empty. It reads the list when it boots; its reaper asks every 15 seconds
whether there is one; and a supervisor warns all its workers of the death of one, before that one's jobs are given back.
A process that is not cautious pays one look at a flag per job, and one that is pays microseconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pillion.errors import RedisError
from pillion.server.give_back import recovery_key
from pillion.server.slot import Slot
from pillion.server.unit_of_work import UnitOfWork
from pillion.storage.ops import reap
from pillion.storage.sync import Storage

CAUTIOUS_S = 5.0
LOOK_S = 0.01  # how long what others might do waits
# Right after a death the list is read for each job: what that process held is back in its queue within milliseconds.
FRESH_FOR_S = CAUTIOUS_S
STALE_S = 0.1  # how old the copy of the list may be later, for each hundred suspects
OUTAGE_WAIT_S = 1.0


@dataclass(slots=True, frozen=True)
class Crew:
    """Those who run jobs in this process: one for each capsule.

    `busy` says how many of its jobs run, `stand_back` hands back what it has fetched ahead.
    """

    busy: Callable[[], int]
    stand_back: Callable[[], object]


class Caution:
    """Decides in one process which job may start beside which. Safe to use from any thread.

    `on` is to be looked at before each job: if it is not, nothing here needs to be called.
    """

    def __init__(self, storage: Storage, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.on = False
        self._storage = storage
        self._monotonic = monotonic
        self._crews: list[Crew] = []
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._suspects: frozenset[str] = frozenset()
        self._read_at = float("-inf")  # when the latest reading began
        self._next_try = float("-inf")
        self._fresh_until = float("-inf")
        self._closed_until = float("-inf")  # others may not start
        self._alone: Slot | None = None  # because of whom
        self._tried: dict[Slot, str] = {}  # the suspects that run now

    def watch(self, crew: Crew) -> None:
        """Take another one into account."""
        self._crews.append(crew)

    # -- being warned ------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the list of suspects: cautious if there are any. Raises RedisError."""
        began_s = self._monotonic()
        names = self._storage.run(reap.suspects())
        with self._lock:  # or a warning that comes just now would be forgotten
            self._suspects = frozenset(names)
            self._read_at = began_s
            self.on = bool(names) or began_s < self._fresh_until

    def warn(self) -> None:
        """A process died just now, or somebody saw suspects: look closely for a while."""
        with self._lock:
            self._fresh_until = self._monotonic() + FRESH_FOR_S
            self.on = True

    # -- for the threads that run jobs -------------------------------------------------------------

    def admit(self, unit: UnitOfWork, slot: Slot, stopping: threading.Event) -> bool:
        """Whether `unit` may start in `slot` now. A suspect waits here until it is alone.

        False: hand it back, and call `wait`.
        """
        self._keep_up()
        with self._lock:
            if self._is_closed():
                return False
            if not self._is_suspect(unit.raw):
                slot.unit = unit  # under the lock: a suspect that comes now is to see it
                return True
            self._alone = slot
            until_s = self._closed_until = self._monotonic() + CAUTIOUS_S
        return self._wait_for_others(unit, slot, stopping, until_s)

    def wait(self, stopping: threading.Event) -> None:
        """Wait until others may start beside the one that is alone."""
        while self._is_closed() and not stopping.wait(LOOK_S):
            pass

    def ended(self, unit: UnitOfWork, slot: Slot) -> None:
        """`unit`, which was in `slot`, has ended, and has not killed this process. Raises RedisError."""
        with self._lock:
            key = self._tried.pop(slot, None)
            if key is not None:
                self._open(slot)
            elif self._is_suspect(unit.raw):
                key = recovery_key(unit.raw)  # it began before this process knew
            else:
                return
            self._suspects -= {key}
        self._storage.run(reap.absolve(key))

    # -- inside ------------------------------------------------------------------------------------

    def _is_closed(self) -> bool:
        return self._monotonic() < self._closed_until

    def _is_suspect(self, raw: bytes) -> bool:
        return bool(self._suspects) and recovery_key(raw) in self._suspects

    def _keep_up(self) -> None:
        """Read the list again if the copy is old. Redis may be away: what is at hand is to run all the same.

        Who comes while another reads waits for that, and reads again if that may have begun too early for him.
        """
        now_s = self._monotonic()
        fresh = now_s < self._fresh_until
        oldest_s = now_s if fresh else now_s - STALE_S * (1 + len(self._suspects) / 100)
        if self._read_at >= oldest_s or now_s < self._next_try:
            return
        with self._reading:
            if self._read_at >= oldest_s or now_s < self._next_try:
                return
            try:
                self.look()
            except RedisError:
                self._next_try = self._monotonic() + OUTAGE_WAIT_S
                self.on = bool(self._suspects) or now_s < self._fresh_until

    def _wait_for_others(self, unit: UnitOfWork, slot: Slot, stopping: threading.Event, until_s: float) -> bool:
        """It waits until `until_s`, not for `_is_closed`: another suspect may come and close anew, again and again."""
        for crew in self._crews:
            crew.stand_back()
        while _busy(self._crews) and self._monotonic() < until_s:
            if stopping.wait(LOOK_S):
                break
        with self._lock:
            if stopping.is_set():
                self._open(slot)
                return False
            slot.unit = unit
            self._tried[slot] = recovery_key(unit.raw)
            self._closed_until = self._monotonic() + CAUTIOUS_S
        return True

    def _open(self, slot: Slot) -> None:
        """Let others start, unless they wait for somebody else by now. `_lock` is held."""
        if self._alone is slot:
            self._alone, self._closed_until = None, float("-inf")


def _busy(crews: Iterable[Crew]) -> bool:
    return any(crew.busy() for crew in crews)
