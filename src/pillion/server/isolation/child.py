"""Child: one child process as the worker's threads see it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from pillion.errors import ChildDied, ChildNotStarted, HardTimeout, Shutdown
from pillion.server.endings import describe_end
from pillion.server.isolation import carried, records
from pillion.server.isolation.bell import Bell
from pillion.server.isolation.family import Family
from pillion.server.isolation.frames import Frame, HasFileno, Kind, Line, wait_for
from pillion.server.isolation.order import Errand

START_TIMEOUT_S = 120.0
# It begins as soon as it has read the job, unless it cannot go on at all; and no hard timeout counts yet.
BEGIN_TIMEOUT_S = 60.0
# From the request to end until the kill. The manager waits 1.5 s for threads that it has interrupted.
INTERRUPT_GRACE_S = 1.0
# A child that has closed its line is about to end, or has closed what is not its own.
LAST_WORDS_S = 1.0
# A killed process ends at once, unless the kernel is stuck in it; then it is left to its fate.
KILL_PATIENCE_S = 5.0

ZYGOTE_GONE = "the process that starts children has ended, and took it along"


class Watch(Protocol):
    """The thread that waits for the child: a Slot."""

    @property
    def interrupted(self) -> bool:
        """Whether the job has to end now."""
        ...

    def stopping(self) -> bool:
        """Whether this process is quiet or stopping."""
        ...

    @property
    def queue(self) -> str | None:
        """The queue that the job was taken from."""
        ...

    def waiting(self, wake: Callable[[], None], /) -> AbstractContextManager[None]:
        """While inside, an interruption calls `wake`, and raises nothing in this thread."""
        ...


class NotBegun(Exception):
    """The child has ended before it began with the job: another one can have it. `end` says how."""

    def __init__(self, end: str) -> None:
        self.end = end
        super().__init__(end)


class Child:
    """One child, from the request for it to its end. Of one thread at a time.

    `end` is how it ended, "" while it lives; `refused` why the zygote has none, "" as long as it may have.
    """

    def __init__(self, line: Line, leash: Line) -> None:
        self.line = line
        self._leash = leash
        self.pid = 0
        self.jobs = 0
        self.rss_bytes = 0
        self.end = ""
        self.refused = ""
        self._family: Family | None = None
        self._busy = False
        self._retired = False
        self._condemned = False

    # -- what happens to it ------------------------------------------------------------------------

    def turn(self, bell: Bell, until_s: float | None) -> list[Frame]:
        """Wait for a word of it, its end, the bell, or until `until_s` (monotonic). Returns what it has said."""
        watched: list[HasFileno] = [each for each in (self.line, self._leash) if not each.ended]
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        ready = wait_for([*watched, bell], [self.line] if self.line.has_more else [], timeout_s)
        if bell.fileno() in ready:
            bell.hush()
        if self._leash.fileno() in ready:
            self._listen()
        self.line.flush()
        return self.line.receive()  # after the look at the leash: what a dead child had said is still there

    def _listen(self) -> None:
        for frame in self._leash.receive():
            text = frame.body.decode("utf-8", "replace")
            if frame.kind == Kind.BORN:
                self.pid = int(text)
                self._family = Family(self.pid)
            elif frame.kind == Kind.ENDED:
                self.end = describe_end(int(text))
            elif frame.kind == Kind.REFUSED:
                self.refused = text
        if self._leash.ended and not self.end:
            self.end = ZYGOTE_GONE
            if self._family is not None:
                self._family.kill()

    @property
    def is_idle(self) -> bool:
        """Whether it lives, will go on living, and has no job, as far as is known without waiting."""
        if not self.end:
            self._listen()
        return not (self.end or self.line.ended or self._busy or self._condemned)

    # -- what is done to it ------------------------------------------------------------------------

    def await_ready(self, watch: Watch, bell: Bell) -> None:
        """Wait until it can take a job.

        Raises ChildNotStarted for what the next child would say as well, NotBegun if it was just this one that
        ended, and Shutdown if the thread is interrupted.
        """
        until_s = time.monotonic() + START_TIMEOUT_S
        while True:
            for frame in self.turn(bell, until_s):
                if frame.kind == Kind.READY:
                    return
                if frame.kind == Kind.UNFIT:
                    raise ChildNotStarted(frame.body.decode("utf-8", "replace"))
            if self.refused:
                raise ChildNotStarted(self.refused)
            if self.end:
                raise NotBegun(self.end)
            if watch.interrupted:
                raise Shutdown
            if time.monotonic() >= until_s:
                raise ChildNotStarted(f"no process was ready to run the job within {START_TIMEOUT_S:g} s")

    def run(self, errand: Errand, watch: Watch, bell: Bell) -> None:
        """Run a job in it. Raises what the job raised, HardTimeout and ChildDied; NotBegun if it never began."""
        self.jobs += 1
        self._busy = True
        _Run(self, errand, watch, bell).wait()

    def is_free(self, rss_bytes: int | None = None) -> None:
        """It has answered, and can take another job."""
        self._busy = False
        self.rss_bytes = rss_bytes or self.rss_bytes

    def hurry(self) -> None:
        """Have the job in it interrupted."""
        self.line.queue(Kind.INTERRUPT)
        self._leash.queue(Kind.TERM)

    def kill(self) -> None:
        """Have it killed. It may still answer before that, but must not be given another job."""
        self._condemned = True
        self._leash.queue(Kind.KILL)

    def retire(self) -> None:
        """Let it end by itself; `destroy` has still to be called."""
        self._retired = True
        self._leash.queue(Kind.RETIRE)
        self.line.close()

    def await_end(self, until_s: float) -> None:
        """Wait for the end of a retired child, until `until_s` (monotonic)."""
        while not self.end and wait_for([self._leash], timeout_s=max(0.0, until_s - time.monotonic())):
            self._listen()

    def destroy(self) -> None:
        """Let go of it. If it has not ended, nor been retired, that kills it."""
        if not self._retired:
            self._leash.queue(Kind.KILL)  # the end of file alone might be held up by a copy of ours, after a fork
        self.line.close()
        self._leash.close()
        if self._family is not None:
            self._family.close()


class _Run:
    """One job in a child: what the thread does while it waits.

    `verdict` is what a death of the child means that we have brought about ourselves.
    """

    def __init__(self, child: Child, errand: Errand, watch: Watch, bell: Bell) -> None:
        self._child = child
        self._errand = errand
        self._watch = watch
        self._bell = bell
        self._begun = False
        self._told_stopping = False
        self._hurried = False
        self._verdict: BaseException | None = None
        self._begin_by_s: float | None = None
        self._timeout_at_s: float | None = None  # the hard timeout
        self._kill_at_s: float | None = None
        self._given_up_at_s: float | None = None

    def wait(self) -> None:
        self._child.line.queue(Kind.RUN, self._errand.body)
        self._begin_by_s = time.monotonic() + BEGIN_TIMEOUT_S
        while True:
            self._look_after()
            for frame in self._child.turn(self._bell, self._next_date_s()):
                if self._take(frame):
                    return
            if self._child.end:
                raise self._meaning_of_its_end()

    def _next_date_s(self) -> float | None:
        dates = (self._begin_by_s, self._timeout_at_s, self._kill_at_s, self._given_up_at_s)
        return min((each for each in dates if each is not None), default=None)

    def _take(self, frame: Frame) -> bool:
        """Do what the child says; True if the job has ended well. Raises what it has raised."""
        if frame.kind == Kind.BEGUN:
            self._begun, self._begin_by_s = True, None
            if self._errand.hard_timeout_s is not None and self._verdict is None:
                self._timeout_at_s = time.monotonic() + self._errand.hard_timeout_s
        elif frame.kind == Kind.LOG:
            with contextlib.suppress(Exception):  # a filter of the application, for instance: the job must go on
                records.replay(frame.body)
        elif frame.kind == Kind.DONE:
            self._child.is_free(int(frame.body or b"0"))
            return True
        elif frame.kind == Kind.FAILED:
            self._child.is_free()
            raise carried.unpack(frame.body)
        return False

    def _look_after(self) -> None:
        """Pass on what the worker wants, and see to what is overdue."""
        now_s = time.monotonic()
        if self._watch.interrupted and not self._hurried:
            self._hurried = True
            self._verdict = Shutdown()
            self._child.hurry()
            self._kill_at_s, self._timeout_at_s = now_s + INTERRUPT_GRACE_S, None
        elif not self._told_stopping and self._watch.stopping():
            self._told_stopping = True
            self._child.line.queue(Kind.STOPPING)
        if self._child.line.ended and self._kill_at_s is None and self._given_up_at_s is None:
            self._kill_at_s = now_s + LAST_WORDS_S
        self._look_at_dates(now_s)

    def _look_at_dates(self, now_s: float) -> None:
        if self._given_up_at_s is not None:
            if now_s >= self._given_up_at_s:
                self._child.end = "it was killed, and the kernel has not ended it"
                raise self._meaning_of_its_end()
        elif self._timeout_at_s is not None and now_s >= self._timeout_at_s and self._verdict is None:
            self._verdict = HardTimeout(self._errand.hard_timeout_s or 0.0)
            self._kill(now_s)
        elif any(each is not None and now_s >= each for each in (self._kill_at_s, self._begin_by_s)):
            self._kill(now_s)

    def _kill(self, now_s: float) -> None:
        self._child.kill()
        self._begin_by_s = self._timeout_at_s = self._kill_at_s = None
        self._given_up_at_s = now_s + KILL_PATIENCE_S

    def _meaning_of_its_end(self) -> BaseException:
        if self._verdict is not None:
            return self._verdict
        return ChildDied(self._child.end) if self._begun else NotBegun(self._child.end)
