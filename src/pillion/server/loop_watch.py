"""LoopWatch: finds the jobs that hold up the event loop, and says once for each of them where.

Design record. A call that blocks (`time.sleep`, `requests.get`, a long computation) in an async job stops all async
jobs of the process, and none of them shows why. So while there are async jobs, a thread asks the loop again and again
for a sign of life. As long as none comes it looks which task the loop is in. If that is the same one for more than
LATE_S, the stack of the loop's thread says what it does.

It should blame nobody who is innocent. A loop with very much to do is in another task at each look. The time in which
the loop's thread was ready to run, but others had the processor, does not count. And if the watch itself comes late,
somebody does not let go of the interpreter, and the measurement begins anew: so a single call into C that keeps it is
not seen.
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
from pathlib import Path
from typing import Any

log = logging.getLogger("pillion")

LATE_S = 0.100
LOOK_EVERY_S = 0.050
OVERSLEPT_S = 0.025
FRAMES = 15

TEXT = (
    "The event loop has stood still for more than %d ms in %s. Meanwhile no async job of this process goes on. Use an "
    "async library there, or a thread: await asyncio.to_thread(...). This is said once for each job class.\n%s"
)

Task = asyncio.Task[Any]


class Verdict(enum.Enum):
    """What a look at the loop has shown."""

    ALIVE = "it has answered: ask again"
    UNFAIR = "the look came too late to tell: begin anew"
    WAIT = "it has some time left"
    STUCK = "it has been in there for too long"


def judge(*, answered: bool, slept_s: float, held_s: float) -> Verdict:
    """What to think of a loop that has been in one task for `held_s`, by a watch that has just slept for `slept_s`."""
    if answered:
        return Verdict.ALIVE
    if slept_s > LOOK_EVERY_S + OVERSLEPT_S:
        return Verdict.UNFAIR
    return Verdict.STUCK if held_s > LATE_S else Verdict.WAIT


class LoopWatch:
    """Watches over `loop`, which runs in `thread`, while `is_busy()`.

    `name_of` tells the job class that a task belongs to. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        thread: threading.Thread,
        is_busy: Callable[[], bool],
        name_of: Callable[[Task], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._loop = loop
        self._watched = thread
        self._is_busy = is_busy
        self._name_of = name_of
        self._clock = clock
        self._wanted = threading.Event()
        self._stopping = threading.Event()
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: set[str] = set()
        self._seen: Task | None = None  # the task that the loop is in
        self._seen_from_s = 0.0

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
        self._ask()
        looked_s = self._clock()
        while self._is_busy() and not self._stopping.wait(LOOK_EVERY_S):
            now_s = self._clock()
            verdict = judge(answered=self._answered.is_set(), slept_s=now_s - looked_s, held_s=self._held_s(now_s))
            if verdict is Verdict.ALIVE:
                self._ask()
            elif verdict is Verdict.UNFAIR:
                self._seen = None
            elif verdict is Verdict.STUCK and self._seen is not None:
                self._report(self._seen)
            looked_s = now_s
        self._seen = None

    def _ask(self) -> None:
        self._seen = None
        self._answered.clear()
        with suppress(RuntimeError):  # the loop is closed, and nobody is on it any more
            self._loop.call_soon_threadsafe(self._answered.set)

    def _held_s(self, now_s: float) -> float:
        """How long the loop has been in the same task at each look, without the time it waited for a processor."""
        task = asyncio.current_task(self._loop)
        ran_from_s = now_s - waited_for_processor_s(self._watched.native_id or 0)
        if task is None or task is not self._seen:
            self._seen, self._seen_from_s = task, ran_from_s
        return ran_from_s - self._seen_from_s

    def _report(self, task: Task) -> None:
        # pyright calls it private; CPython documents it as the way to find deadlocks
        frame = sys._current_frames().get(self._watched.ident or 0)  # pyright: ignore[reportPrivateUsage]
        name = self._name_of(task)
        if frame is None or name in self._known:
            return
        self._known.add(name)
        log.warning(TEXT, LATE_S * 1000, name, "".join(traceback.format_stack(frame)[-FRAMES:]).rstrip())


def waited_for_processor_s(native_id: int) -> float:
    """How long in all a thread of this process was ready to run, and did not; 0.0 where the kernel does not say."""
    try:
        return int(Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
