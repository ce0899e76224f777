"""Signals: what arrives from the kernel or from Redis, in one line, for one reader.

A signal handler of Python runs between any two bytecodes of the main thread, so it must do next to
nothing: ours writes down the name, the main loop reads it and acts (behaviour 10). The loop sleeps in
`select` on a pipe that the kernel-side handler writes to, so a signal wakes it whichever thread of
the process it was delivered to. Signals sent through Redis (wire-format 7.6) are put in the same line.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import os
import signal
from collections import deque
from collections.abc import Iterable
from types import FrameType

log = logging.getLogger("pillion")


class Action(enum.Enum):
    """What a process does about a signal."""

    STOP = "finish or hand back what is running, then exit"
    QUIET = "take no further jobs"
    DUMP = "log what each thread is doing"


ACTIONS = {"INT": Action.STOP, "TERM": Action.STOP, "TSTP": Action.QUIET, "TTIN": Action.DUMP}


def action_of(name: str) -> Action | None:
    """What the signal `name` (without SIG) asks for; None if it means nothing to us (behaviour 10)."""
    return ACTIONS.get(name)


class SignalInbox:
    """Names of signals in order of arrival, and a file descriptor that is readable while there are some."""

    def __init__(self) -> None:
        self._names: deque[str] = deque()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._replaced: dict[signal.Signals, object] = {}

    def fileno(self) -> int:
        """For `select`."""
        return self._reader

    def put(self, name: str) -> None:
        """Add a signal that came another way, for example through Redis. Any thread may call it."""
        self._names.append(name)
        with contextlib.suppress(BlockingIOError):  # the pipe is full: the reader will wake up anyway
            os.write(self._writer, b"\0")

    def drain(self) -> list[str]:
        """Take out everything that has come so far, oldest first."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 512):
                pass
        names: list[str] = []
        while self._names:
            names.append(self._names.popleft())
        return names

    def trap(self, names: Iterable[str]) -> None:
        """Receive these signals (without SIG) from now on. Main thread only.

        A handler that the app installed before is called first; what it raises is logged, not fatal.
        """
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for name in names:
            number = signal.Signals[f"SIG{name}"]
            prior = signal.getsignal(number)
            self._replaced.setdefault(number, prior)
            signal.signal(number, _Trap(name, self, prior))

    def restore(self) -> None:
        """Put back the handlers that were there before `trap`."""
        for number, prior in self._replaced.items():
            signal.signal(number, prior if prior is not None else signal.SIG_DFL)  # type: ignore[arg-type]
        if self._replaced:
            signal.set_wakeup_fd(-1)
        self._replaced.clear()

    def close(self) -> None:
        """Restore the handlers and free the pipe."""
        self.restore()
        os.close(self._reader)
        os.close(self._writer)


class _Trap:
    """The handler of one signal: the app's own handler first, then a note to the inbox."""

    def __init__(self, name: str, inbox: SignalInbox, prior: object) -> None:
        self._name = name
        self._inbox = inbox
        self._prior = prior if _is_the_apps(prior) else None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if callable(self._prior):
            try:
                self._prior(number, frame)
            except BaseException:
                # even a sys.exit() in there must not skip the graceful stop
                log.exception("The app's own handler of signal %s failed; going on with ours", self._name)
        self._inbox.put(self._name)


def ignore(name: str) -> None:
    """Let the signal `name` pass without effect."""
    signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_IGN)


def reset(names: Iterable[str]) -> None:
    """Give these signals back to the kernel's default, as in a process that has just begun."""
    signal.set_wakeup_fd(-1)
    for name in names:
        signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_DFL)


def _is_the_apps(handler: object) -> bool:
    return handler is not signal.default_int_handler and not isinstance(handler, _Trap)
