"""LoopWatch: finds the jobs that hold up the event loop, and says once for each of them where.

Design record. A call that blocks (`time.sleep`, `requests.get`, a long computation) in an async job stops all async
jobs of the process, and none of them shows why. So while there are async jobs, a thread asks the loop again and again
for a sign of life. If none comes for LATE_S, the stack of the loop's thread says what it is in.

The thread itself may be late: the machine is busy, or somebody does not let go of the interpreter. Then the loop may be
as innocent, and the measurement begins anew. So a single call into C that keeps the interpreter to itself is not seen.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

log = logging.getLogger("pillion")

LATE_S = 0.100
LOOK_EVERY_S = 0.050
OVERSLEPT_S = 0.025
FRAMES = 15

TEXT = (
    "The event loop has stood still for more than %d ms in %s. Meanwhile no async job of this process goes on. Use an "
    "async library there, or a thread: await asyncio.to_thread(...). This is said once for each job class.\n%s"
)


class Verdict(enum.Enum):
    """What a look at the loop has shown."""

    ALIVE = "it has answered: ask again"
    WAIT = "it has some time left"
    UNFAIR = "the look came too late to tell: begin anew"
    STUCK = "it should have answered by now"


def judge(*, answered: bool, waits_s: float, slept_s: float) -> Verdict:
    """What to think of a loop that was asked `waits_s` ago, by a watch that has just slept for `slept_s` seconds."""
    if answered:
        return Verdict.ALIVE
    if slept_s > LOOK_EVERY_S + OVERSLEPT_S:
        return Verdict.UNFAIR
    return Verdict.STUCK if waits_s > LATE_S else Verdict.WAIT


class LoopWatch:
    """Watches over `loop`, which runs in `thread`, while `is_busy()`.

    `running` tells the name of whose code the loop is in, None if in nobody's. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread: threading.Thread,
        is_busy: Callable[[], bool],
        running: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._watched = thread
        self._is_busy = is_busy
        self._running = running
        self._clock = clock
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: set[str] = set()

    def wake(self) -> None:
        """There is something to watch. Called on the loop."""
        if not self._wanted.is_set():
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="pillion.loop-watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        self._wanted.set()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            self._look_while_busy()
            self._wanted.clear()
            if not self._is_busy() and not self._stopping.is_set():
                self._wanted.wait()

    def _look_while_busy(self) -> None:
        asked_s = looked_s = self._ask()
        while self._is_busy() and not self._stopping.wait(LOOK_EVERY_S):
            now_s = self._clock()
            verdict = judge(answered=self._answered.is_set(), waits_s=now_s - asked_s, slept_s=now_s - looked_s)
            if verdict is Verdict.ALIVE:
                asked_s = self._ask()
            elif verdict is Verdict.UNFAIR:
                asked_s = now_s
            elif verdict is Verdict.STUCK:
                self._report()
            looked_s = now_s

    def _ask(self) -> float:
        self._answered.clear()
        with suppress(RuntimeError):  # the loop is closed, and nobody is on it any more
            self._loop.call_soon_threadsafe(self._answered.set)
        return self._clock()

    def _report(self) -> None:
        # pyright calls it private; CPython documents it as the way to find deadlocks
        frame = sys._current_frames().get(self._watched.ident or 0)  # pyright: ignore[reportPrivateUsage]
        name = self._running()
        if frame is None or name is None or name in self._known:
            return
        self._known.add(name)
        log.warning(TEXT, LATE_S * 1000, name, "".join(traceback.format_stack(frame)[-FRAMES:]).rstrip())
