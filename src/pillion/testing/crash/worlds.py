"""Where the runs of an assessment happen, and how one is stopped so that nothing more of it runs.

Design record. A process that is killed runs no `finally`, no `except BaseException` and no `__exit__`. An
exception raised at a line would run them all, and so hide just the mistakes that are looked for.

- *process*: each run is a forked child. At its line it ends with `os._exit`, as after kill -9: the
  kernel closes its sockets, transactions are rolled back by their database. What counts is what is in a
  real store. What a job pushed before its end is told to the parent through a pipe, at once.
- *thread*: each run is a thread. At its line it is parked, for ever, in the middle of the line before:
  nothing more of it runs, also no `finally`. The memory of the test stays the world, so a fake of a
  service will do. But what it holds, it holds: a lock, a transaction. The thread is a daemon and costs
  some kilobytes until the tests end.
"""

from __future__ import annotations

import contextvars
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Literal, Protocol

from pillion.testing.crash.lines import OwnCode, Spot, Tracer
from pillion.testing.store import FakeQueues

How = Literal["ended", "stopped", "raised", "hung", "died"]
KILLED: Final = 137  # what a shell says of a process killed by signal 9


@dataclass(slots=True)
class Ending:
    """How one run ended, the spots it came by, and the text of the error if it raised one."""

    how: How = "died"
    spots: list[Spot] = field(default_factory=list[Spot])
    error: str = ""


@dataclass(slots=True, frozen=True)
class Order:
    """One run: `work` to its end, or to the moment before `stop_at`. `own` None: nothing is watched."""

    work: Callable[[], None]
    own: OwnCode | None = None
    stop_at: Spot | None = None


class World(Protocol):
    """Carries out runs. The hint says what may be wrong if even an undisturbed run leaves a wrong state."""

    hint: str

    def run(self, order: Order, queues: FakeQueues, /) -> Ending:
        """Carry out one run."""
        ...


class ProcessWorld:
    """Each run in a forked child."""

    hint = (
        "Each run is a process of its own, so only what is in a real store (a file, a database, Redis) is left "
        'when it ends. If the job and the check meet in the memory of the test, use isolate="thread". A '
        "database connection must not be shared with the child: open it in `before_run`."
    )

    def __init__(self, most: int, timeout_s: float) -> None:
        if not hasattr(os, "fork"):
            raise RuntimeError('isolate="process" needs os.fork, which this system lacks: use isolate="thread".')
        self._most = most
        self._timeout_s = timeout_s

    def run(self, order: Order, queues: FakeQueues) -> Ending:
        """Fork, and listen to the child until it ends."""
        reader, writer = os.pipe()
        with warnings.catch_warnings():  # Python 3.12 and later warn of threads, which the child does not need
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _be_the_child(writer, order, queues, self._most)
        os.close(writer)
        try:
            return self._listen(pid, reader, queues)
        finally:
            os.close(reader)

    def _listen(self, pid: int, reader: int, queues: FakeQueues) -> Ending:
        ending = Ending()
        deadline_s = time.monotonic() + self._timeout_s
        rest = b""
        try:
            while chunk := _read(reader, deadline_s):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    _note(json.loads(line), ending, queues)
        except BaseException as exc:  # also of the user's Ctrl-C: no child may be left behind
            os.kill(pid, signal.SIGKILL)
            if not isinstance(exc, TimeoutError):
                raise
            ending.how = "hung"
        finally:
            _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) == KILLED:
            ending.how = "stopped"
        return ending


def _read(reader: int, deadline_s: float) -> bytes:
    """What the child says next; empty when it has ended. Raises TimeoutError."""
    ready, _, _ = select.select([reader], [], [], max(0.0, deadline_s - time.monotonic()))
    if not ready:
        raise TimeoutError
    return os.read(reader, 65536)


def _note(message: list[Any], ending: Ending, queues: FakeQueues) -> None:
    kind, *facts = message
    if kind == "spot":
        ending.spots.append(Spot(*facts))
    elif kind == "push":
        raw, queue, at = facts
        queues.add(raw.encode(), queue, at, "queue" if at is None else "schedule")
    else:
        ending.how, ending.error = kind, facts[0]


def _be_the_child(writer: int, order: Order, queues: FakeQueues, most: int) -> None:
    """Everything that the child does. Never returns."""

    def say(*message: Any) -> None:
        text = json.dumps(message).encode() + b"\n"
        while text:
            text = text[os.write(writer, text) :]

    def reached(spot: Spot) -> None:
        if spot == order.stop_at:
            os._exit(KILLED)
        say("spot", *spot)

    try:
        queues.told = lambda raw, queue, at: say("push", raw.decode(), queue, at)
        _watched(order, reached, most)
        say("ended", "")
    except BaseException:  # noqa: BLE001 - nothing may come out of the child
        say("raised", traceback.format_exc())
    finally:
        os._exit(0)


def _watched(order: Order, reached: Callable[[Spot], None], most: int) -> None:
    if order.own is not None:
        _settle_exceptions()
        sys.settrace(Tracer(order.own, reached, most))
    try:
        order.work()
    finally:
        sys.settrace(None)


class _Settled(BaseException):
    """Raised from outside in this thread, by itself."""


def _settle_exceptions() -> None:
    """Have CPython 3.11 forget that an exception was to be raised in some thread from outside.

    It keeps a flag for that, which stays up if the exception was taken back (as a Slot does) or its thread
    ended. With the flag up, the first function that is called under a tracer never begins: its thread turns
    in circles. One such exception that does arrive takes the flag down.
    """
    if sys.version_info >= (3, 12):
        return
    import ctypes

    try:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), ctypes.py_object(_Settled))
        while True:
            pass
    except _Settled:
        return


class ThreadWorld:
    """Each run in a thread of this process."""

    hint = (
        "Each run is a thread of its own: what belongs to the thread of the test, such as a connection to "
        "SQLite, cannot be used by the job."
    )

    def __init__(self, most: int, timeout_s: float) -> None:
        self._most = most
        self._timeout_s = timeout_s

    def run(self, order: Order, _queues: FakeQueues) -> Ending:
        """Start a thread, and wait until it ends or is parked."""
        ending = Ending()
        over: SimpleQueue[How] = SimpleQueue()

        def reached(spot: Spot) -> None:
            if spot == order.stop_at:
                over.put("stopped")
                threading.Event().wait()  # for ever: nobody has this event
            ending.spots.append(spot)

        def body() -> None:
            try:
                _watched(order, reached, self._most)
            except BaseException:  # noqa: BLE001 - it is told below
                ending.error = traceback.format_exc()
                over.put("raised")
            else:
                over.put("ended")

        variables = contextvars.copy_context()
        threading.Thread(target=variables.run, args=(body,), name="pillion.crash", daemon=True).start()
        try:
            ending.how = over.get(timeout=self._timeout_s)
        except Empty:
            ending.how = "hung"
        return ending
