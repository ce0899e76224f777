"""Pool: the children of one worker process, and which job gets which."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from pillion.errors import ChildNotStarted, Shutdown
from pillion.server.isolation.bell import Bell
from pillion.server.isolation.child import Child, NotBegun, Watch
from pillion.server.isolation.order import Errand
from pillion.server.isolation.stem import Stem

log = logging.getLogger("pillion")

# So many children in a row may die before they begin with a job; then something is wrong that the next does not heal.
ATTEMPTS = 3
# How long children may take for their `child_exit` hooks when the worker ends.
LAST_WORDS_S = 5.0


@dataclass(slots=True, frozen=True)
class Limits:
    """How many children there may be, and when one has done enough. None: never."""

    children: int
    jobs: int | None = None
    rss_bytes: int | None = None

    def allow(self, child: Child) -> bool:
        """Whether a child may have another job."""
        fresh = self.jobs is None or child.jobs < self.jobs
        return fresh and (self.rss_bytes is None or child.rss_bytes <= self.rss_bytes)


class Pool:
    """Children, started when a job finds none idle. Safe to use from many threads.

    Parameters: `boot` makes what a zygote is told; it is called for each zygote, so usually once.
    """

    def __init__(self, limits: Limits, boot: Callable[[], bytes]) -> None:
        self._limits = limits
        self._boot = boot
        self._lock = threading.Lock()
        self._idle: list[Child] = []  # the last one is taken first: its memory is warm
        self._count = 0
        self._queue: deque[Bell] = deque()  # threads that wait for a child, in the order they came
        self._bells: set[Bell] = set()
        self._closed = False
        self._starting = threading.Lock()
        self._stem: Stem | None = None

    def run(self, errand: Errand, watch: Watch) -> None:
        """Run a job in a child, and wait for its end.

        Raises what the job raises; HardTimeout, ChildDied, ChildNotStarted; Shutdown if `watch` is interrupted.
        """
        end = ""
        with self._bell() as bell, watch.waiting(bell.ring):
            for _ in range(ATTEMPTS):
                try:
                    return self._attempt(errand, watch, bell)
                except NotBegun as exc:
                    end = exc.end
        raise ChildNotStarted(f"{ATTEMPTS} processes in a row ended before they began with the job; the last: {end}")

    def _attempt(self, errand: Errand, watch: Watch, bell: Bell) -> None:
        child = self._take(watch, bell)
        try:
            child.run(errand, watch, bell)
        finally:
            self._give_back(child)

    def quiet(self) -> None:
        """Have all that run look at whether the worker is stopping."""
        with self._lock:
            for bell in self._bells:
                bell.ring()

    def close(self, deadline_s: float) -> None:
        """End all children: the idle ones in order, until `deadline_s` (monotonic) at most, the others at once."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for bell in self._bells:
                bell.ring()
        for child in idle:
            child.retire()
        until_s = min(deadline_s, time.monotonic() + LAST_WORDS_S)
        for child in idle:
            child.await_end(until_s)
            child.destroy()
        with self._starting:
            if self._stem is not None:
                self._stem.close()

    # -- inside ------------------------------------------------------------------------------------

    @contextmanager
    def _bell(self) -> Generator[Bell]:
        bell = Bell()
        with self._lock:
            self._bells.add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells.discard(bell)
                self._leave_queue(bell)
            bell.close()

    def _take(self, watch: Watch, bell: Bell) -> Child:
        """An idle child, else a new one, else the first that becomes idle."""
        while True:
            if watch.interrupted:
                raise Shutdown
            with self._lock:
                child, may_start = self._claim(bell)
            if child is not None:
                return child
            if may_start:
                return self._start(watch, bell)
            bell.wait()

    def _claim(self, bell: Bell) -> tuple[Child | None, bool]:
        """A child for this thread, or the right to start one, or a place in the queue."""
        if self._closed:
            raise Shutdown
        if self._queue and self._queue[0] is not bell:
            if bell not in self._queue:
                self._queue.append(bell)
            return None, False
        child = self._any_idle()
        may_start = child is None and self._count < self._limits.children
        if child is not None or may_start:
            self._count += may_start
            self._leave_queue(bell)
        elif not self._queue:
            self._queue.append(bell)
        return child, may_start

    def _any_idle(self) -> Child | None:
        while self._idle:
            child = self._idle.pop()
            if child.is_idle:
                return child
            self._forget(child)
        return None

    def _start(self, watch: Watch, bell: Bell) -> Child:
        try:
            stem, child = self._new_child()
        except BaseException:
            with self._lock:
                self._free_place()
            raise
        try:
            child.await_ready(watch, bell)
        except BaseException as exc:
            with self._lock:
                self._forget(child)
            if not child.pid and not stem.proven:
                self._drop(stem, at_once=not child.refused)
            if isinstance(exc, NotBegun) and stem.end:
                raise NotBegun(f"{exc.end} ({stem.end})") from None
            raise
        stem.proven = True
        log.debug("Child process %d started", child.pid)
        return child

    def _new_child(self) -> tuple[Stem, Child]:
        with self._starting:
            if self._closed:  # while this thread waited for its turn: nobody would end that zygote
                raise Shutdown
            if self._stem is not None and self._stem.lives:
                with contextlib.suppress(ChildNotStarted):  # it has ended just now
                    return self._stem, self._stem.child()
            if self._stem is not None:
                self._stem.close()
            self._stem = Stem(self._boot())
            return self._stem, self._stem.child()

    def _drop(self, stem: Stem, *, at_once: bool) -> None:
        """Nothing comes from this zygote: the next job tries another one."""
        with self._starting:
            if self._stem is stem:
                self._stem = None
            else:
                return
        stem.close(at_once=at_once)

    def _give_back(self, child: Child) -> None:
        with self._lock:
            if self._closed or not child.is_idle:
                self._forget(child)
            elif not self._limits.allow(child):
                log.debug("Child process %d has done enough: %d jobs", child.pid, child.jobs)
                child.retire()
                self._forget(child)
            else:
                self._idle.append(child)
                self._call_next()

    def _forget(self, child: Child) -> None:
        child.destroy()
        self._free_place()

    def _free_place(self) -> None:
        self._count -= 1
        self._call_next()

    def _call_next(self) -> None:
        if self._queue:
            self._queue[0].ring()

    def _leave_queue(self, bell: Bell) -> None:
        """Whoever is first now looks for itself whether there is something for it, too."""
        if bell in self._queue:
            self._queue.remove(bell)
            self._call_next()
