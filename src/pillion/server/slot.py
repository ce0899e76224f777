"""Slot: one place for a running job; what the heartbeat shows of it, and how a stuck one is interrupted.

Design record. At the shutdown deadline a running job is interrupted by an exception raised in its
thread from outside. CPython delivers such an exception between any two bytecodes, and has no mask
for it; in the middle of our own code it could break a lock or lose an outcome. So it may only be
sent between `enter` and `leave`, which take the slot's lock: while user code runs. A thread that is
inside C code gets it when it comes back; the process does not wait for that.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pillion import log
from pillion.errors import Shutdown
from pillion.server.unit_of_work import UnitOfWork


@dataclass(slots=True, frozen=True)
class WorkEntry:
    """A running job, for the process's work hash (wire-format 7.5). `run_at` is in epoch seconds."""

    tid: str
    queue: str
    raw: bytes
    run_at: int


class Slot:
    """One place for a running job. A job sees it as its context: `stopping()` and `queue`.

    All attributes are written by the slot's own thread; `work` and `interrupt` are for others.
    """

    __slots__ = (
        "_doomed",
        "_in_user_code",
        "_lock",
        "_runner",
        "_stopping",
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
        self.thread_id = 0
        self._lock = threading.Lock()
        self._in_user_code = False
        self._doomed = False
        self._runner: asyncio.Runner | None = None

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

    # -- the slot's own thread -------------------------------------------------------------------

    def bind(self) -> None:
        """Make the calling thread the slot's thread."""
        self.thread_id = threading.get_ident()
        self.tid = log.tid()

    def enter(self) -> None:
        """User code begins. Raises Shutdown if this job was interrupted before it began."""
        with self._lock:
            if self._doomed:
                raise Shutdown
            self._in_user_code = True

    def leave(self) -> None:
        """User code has ended: an interruption that has not arrived yet must not arrive any more."""
        with self._lock:
            self._in_user_code = False
            if self._doomed:
                _set_async_exception(self.thread_id, None)

    def await_(self, awaitable: Awaitable[Any]) -> Any:
        """Run an async job to its end, on this thread's own event loop."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        # A runner keeps the context it was made in: without this, every job of the thread would see the first one's.
        own = contextvars.copy_context()
        try:
            return self._runner.run(_as_coroutine(awaitable), context=own)
        finally:
            log.adopt(own)  # the line "done" has what the job has added

    def close(self) -> None:
        """The thread ends."""
        if self._runner is not None:
            self._runner.close()

    # -- other threads ---------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Raise Shutdown in the running job, and refuse the next."""
        with self._lock:
            self._doomed = True
            if self._in_user_code:
                _set_async_exception(self.thread_id, Shutdown)
                if self._runner is not None:
                    # A loop asleep on its sockets runs no bytecode; this wakes it.
                    self._runner.get_loop().call_soon_threadsafe(lambda: None)


async def _as_coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _set_async_exception(thread_id: int, exception: type[BaseException] | None) -> None:
    import ctypes  # only a shutdown past its deadline needs it

    target = ctypes.py_object(exception) if exception is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), target)
