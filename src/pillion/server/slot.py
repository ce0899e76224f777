"""Slot: one place for a running job; what the heartbeat shows of it, and how a stuck one is interrupted.

Design record. At the shutdown deadline a running job is interrupted by an exception raised in its
thread from outside. CPython delivers such an exception between any two bytecodes, and has no mask
for it; in the middle of our own code it could break a lock or lose an outcome. So it may only be
sent between `enter` and `leave`, which take the slot's lock: while user code runs. A thread that is
inside C code gets it when it comes back; the process does not wait for that.

What runs elsewhere (on the event loop, in another process) cannot be interrupted like that. Whoever sees
to it says by `expect` or `waiting` what is to be called instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pillion.errors import Shutdown
from pillion.server.unit_of_work import UnitOfWork


@dataclass(slots=True, frozen=True)
class WorkEntry:
    """A running job, for the process's work hash (wire-format 7.5). `run_at` is in epoch seconds."""

    tid: str
    queue: str
    raw: bytes
    run_at: int


class Watcher(Protocol):
    """Who wants to look around whenever a sync job begins: `staff.Staff`."""

    def look(self) -> bool:
        """A thread has begun a sync job. False: that was the last look."""
        ...


class Slot:
    """One place for a running job. A job sees it as its context: `stopping()` and `queue`.

    All attributes are written by the thread, or the task, that has the slot; `work` and `interrupt` are for others.
    """

    __slots__ = (
        "_alert",
        "_doomed",
        "_lock",
        "_stopping",
        "_wake",
        "_watcher",
        "in_user_code",
        "loop_tid",
        "started_at",
        "thread_id",
        "tid",
        "unit",
    )

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping = stopping
        self.unit: UnitOfWork | None = None
        self.started_at = 0.0
        self.tid = ""
        self.loop_tid = ""  # what its jobs on the event loop are called
        self.thread_id = 0
        self.in_user_code = False  # a sync job is between `enter` and `leave`
        self._lock = threading.Lock()
        self._doomed = False
        self._watcher: Watcher | None = None
        self._alert = False  # there is a watcher, or it is doomed: one question instead of two, for every job
        self._wake: Callable[[], object] | None = None

    def stopping(self) -> bool:
        """Whether this process is quiet or stopping."""
        return self._stopping()

    @property
    def interrupted(self) -> bool:
        """Whether the job in it has been interrupted: only then a Shutdown in it is ours."""
        return self._doomed

    @property
    def queue(self) -> str | None:
        """The queue that the running job was taken from."""
        return self.unit.queue if self.unit is not None else None

    def work(self) -> WorkEntry | None:
        """What runs here now."""
        unit, started_at = self.unit, self.started_at
        return WorkEntry(self.tid, unit.queue, unit.raw, int(started_at)) if unit is not None else None

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` look when a sync job begins, until it has seen enough. Before the first one."""
        self._watcher, self._alert = watcher, True

    # -- the thread that has the slot ------------------------------------------------------------

    def bind(self, thread_id: int, tid: str) -> None:
        """Make the calling thread the slot's thread; `tid` is its name in logs and dashboards."""
        self.thread_id = thread_id
        self.tid = tid

    def enter(self) -> None:
        """User code begins. Raises Shutdown if this job was interrupted before it began."""
        with self._lock:
            self.in_user_code = True
            if self._alert:
                self._heed()

    def leave(self) -> None:
        """User code has ended: an interruption that has not arrived yet must not arrive any more."""
        with self._lock:
            self.in_user_code = False
            if self._doomed:
                _set_async_exception(self.thread_id, None)

    @contextmanager
    def waiting(self, wake: Callable[[], object]) -> Generator[None]:
        """Inside the block user code waits for something outside: an interruption calls `wake`, and raises nothing.

        `wake` must be quick. Raises Shutdown if the job has been interrupted already.
        """
        self.expect(wake)
        try:
            yield
        finally:
            self.forget()

    # -- the thread, or the task on the event loop, that has the slot -----------------------------

    def expect(self, wake: Callable[[], object]) -> None:
        """From here to `forget` an interruption calls `wake`. Raises Shutdown if it has come already."""
        with self._lock:
            if self._doomed:
                raise Shutdown
            self._wake = wake

    def forget(self) -> None:
        """What `expect` has announced is over."""
        with self._lock:
            self._wake = None

    # -- other threads ---------------------------------------------------------------------------

    def condemn(self) -> None:
        """Say that the running job will be interrupted: if something else cuts it off before, it has not failed."""
        with self._lock:
            self._doomed = self._alert = True

    def interrupt(self) -> None:
        """Raise Shutdown in the running job, or wake it, and refuse the next."""
        with self._lock:
            self._doomed = self._alert = True
            if self._wake is not None:
                self._wake()
            elif self.in_user_code:
                _set_async_exception(self.thread_id, Shutdown)

    # -- inside ------------------------------------------------------------------------------------

    def _heed(self) -> None:
        """`_lock` is held."""
        if self._doomed:
            self.in_user_code = False
            raise Shutdown
        if self._watcher is not None and not self._watcher.look():
            self._watcher, self._alert = None, False


def _set_async_exception(thread_id: int, exception: type[BaseException] | None) -> None:
    import ctypes  # only a shutdown past its deadline needs it

    target = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), target)
