"""FakeQueues: where jobs go in fake mode. One list in memory, of payloads as they are on the wire.

Every payload comes here as the bytes that Redis would have been given, so what a test sees has been
through JSON. The order of jobs is the order in which a lone worker would take them: by the moment they
may run, then by when they were pushed. Names of queues sort nothing: tests are about jobs.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pillion.wire.codec import dumps, loads_job

Payload = dict[str, Any]
Kind = Literal["queue", "schedule", "retry"]
Told = Callable[[bytes, str, float | None], None]


class Clock:
    """The time of one fake mode: the real one, and what has been travelled."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now_s(self) -> float:
        """Epoch seconds."""
        return time.time() + self._ahead_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds


@dataclass(slots=True, eq=False)
class Entry:
    """A job that waits. `due_s` is when it may run (epoch seconds); its `payload` has it as `at` if that is later."""

    payload: Payload
    queue: str
    due_s: float
    number: int
    kind: Kind


class FakeQueues:
    """The jobs of one fake mode. Safe to use from many threads.

    The lists that it returns are made when asked for; the payloads in them are the jobs themselves, so a
    test that changes one changes the job.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.told: Told | None = None  # of each push, as (payload, queue, at): for a process that will not live long
        self.ran: list[Payload] = []
        self._lock = threading.RLock()
        self._entries: list[Entry] = []  # in order
        self._dead: list[Payload] = []
        self._numbers = itertools.count()

    # -- for tests -----------------------------------------------------------------------------------

    def __getitem__(self, queue: str) -> list[Payload]:
        """The payloads that wait in a queue, or are scheduled for it; those have an `at` (epoch seconds)."""
        return [entry.payload for entry in self._in_order() if entry.queue == queue]

    def __iter__(self) -> Iterator[str]:
        """The names of the queues that have jobs."""
        return iter(dict.fromkeys(entry.queue for entry in self._in_order()))

    def __contains__(self, queue: object) -> bool:
        return any(entry.queue == queue for entry in self._in_order())

    def __len__(self) -> int:
        """How many jobs wait, in all queues."""
        return len(self._entries)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {len(self[name])}" for name in self)
        return f"<FakeQueues {counts or 'empty'}>"

    @property
    def jobs(self) -> list[Payload]:
        """The payloads of all jobs that wait."""
        return [entry.payload for entry in self._in_order()]

    @property
    def scheduled(self) -> list[Payload]:
        """The jobs pushed for later, the next one first."""
        return [entry.payload for entry in self._in_order() if entry.kind == "schedule"]

    @property
    def retries(self) -> list[Payload]:
        """The jobs that failed and are to be tried again, the next one first."""
        return [entry.payload for entry in self._in_order() if entry.kind == "retry"]

    @property
    def dead(self) -> list[Payload]:
        """The jobs that failed for good."""
        return list(self._dead)

    def push(self, payload: Payload) -> None:
        """Put a payload into its queue as it is, as a Ruby client could have. With `at` it is scheduled."""
        raw = dumps({key: value for key, value in payload.items() if key != "at"})
        queue, at = payload.get("queue") or "default", payload.get("at")
        if at is None:
            self.add(raw, queue)
        else:
            self.add(raw, queue, at, "schedule")

    def delete(self, jid: str) -> bool:
        """Take out one job. Returns whether it was there."""
        return bool(self.remove(lambda entry: entry.payload.get("jid") == jid))

    def clear(self, queue: str | None = None) -> int:
        """Take out all jobs, or those of one queue. Returns how many there were. All also forgets the dead."""
        if queue is not None:
            return self.remove(lambda entry: entry.queue == queue)
        with self._lock:
            self._dead.clear()
            self.ran.clear()
            return self.remove(lambda _entry: True)

    # -- for the storage and the runs ----------------------------------------------------------------

    def add(self, raw: bytes, queue: str, at_s: float | None = None, kind: Kind = "queue") -> int:
        """A payload as it would be written to Redis. `at_s` is its score, for the schedule and for retries.

        Returns a number that no other entry has.
        """
        payload = loads_job(raw)
        if at_s is not None:
            payload["at"] = at_s
        with self._lock:
            due_s = self.clock.now_s() if at_s is None else at_s
            number = next(self._numbers)
            insort(self._entries, Entry(payload, queue, due_s, number, kind), key=_place)
        if self.told is not None:
            self.told(raw, queue, at_s)
        return number

    def bury(self, raw: bytes) -> None:
        """Into the dead set."""
        with self._lock:
            self._dead.append(loads_job(raw))

    def take(self, wanted: Callable[[Entry], bool], until_s: float | None) -> Entry | None:
        """Take out the first job that is wanted and due by `until_s`; None means whenever it is due."""
        with self._lock:
            for index, entry in enumerate(self._entries):
                if until_s is not None and entry.due_s > until_s:
                    return None
                if wanted(entry):
                    return self._entries.pop(index)
        return None

    def waiting(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """The jobs that are wanted, in order."""
        return [entry for entry in self._in_order() if wanted(entry)]

    def remove(self, unwanted: Callable[[Entry], bool]) -> int:
        """Take out jobs. Returns how many."""
        with self._lock:
            before = len(self._entries)
            self._entries = [entry for entry in self._entries if not unwanted(entry)]
            return before - len(self._entries)

    def _in_order(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)


def _place(entry: Entry) -> tuple[float, int]:
    return entry.due_s, entry.number
