"""Lane: the event loop of a worker process, on a thread of its own. It is started by the first async job.

Design record. Jobs come from other threads, and each crossing costs: the loop has to be woken by a write to a socket.
So rides are put into a list, and the loop is called once for all that come until it looks. Both sides need no lock:
the loop first takes down its flag, then empties the list; who adds first adds, then looks at the flag.

The lane knows nothing of outcomes, slots and leases: it runs coroutines. What has to be done about a job that may block
(hooks, handlers, Redis) is done `aside`, in a few threads.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, Protocol

from pillion.errors import ConfigError, Shutdown
from pillion.log import tid
from pillion.log.facts import payload_in
from pillion.server.aside import Aside
from pillion.server.loop_watch import LoopWatch
from pillion.server.task_dump import TaskView, describe_tasks

log = logging.getLogger("pillion")

THREADS_ASIDE = 8
CLEAN_UP_S = 1.0

Loop = asyncio.AbstractEventLoop


class Ride(Protocol):
    """Something to run on the loop. `name` says for people what it is; `task` is set by the lane."""

    context: Context
    task: asyncio.Task[None] | None

    @property
    def name(self) -> str:
        """The name of the job class."""
        ...

    @property
    def detail(self) -> str:
        """What tells this ride from others of that name: the jid."""
        ...

    def go(self) -> Coroutine[Any, Any, None]:
        """The coroutine. It raises nothing, and says `left` at its end."""
        ...


class Lane:
    """Runs rides, as many at a time as are submitted.

    `kind` is "asyncio", "uvloop", or "auto": uvloop if it is installed. Raises ConfigError for uvloop where it is not.
    """

    def __init__(self, kind: str = "auto") -> None:
        self._kind = kind
        check_installed(kind)
        self._inbox: deque[Ride] = deque()
        self._called = False
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._aside = Aside(THREADS_ASIDE)
        self.aside = self._aside.do  # do something that may block, in another thread
        self._numbers = itertools.count(1)
        self._tid = ""
        self._riding: dict[asyncio.Task[None], Ride] = {}
        self._watch: LoopWatch | None = None

    # -- from any thread ---------------------------------------------------------------------------

    def submit(self, ride: Ride) -> None:
        """Run it as soon as the loop gets to it. Raises Shutdown if the lane has been stopped."""
        if self._closed:
            raise Shutdown
        loop = self._loop or self._open()
        self._inbox.append(ride)
        if not self._called:
            self._called = True
            try:
                loop.call_soon_threadsafe(self._let_in)
            except RuntimeError:  # it has been closed just now
                raise Shutdown from None

    def cancel(self, ride: Ride) -> None:
        """Cancel it, if it is still to be cancelled when the loop gets to it."""
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it is closed, and so is the ride
                loop.call_soon_threadsafe(self._cancel_soon, ride)

    def new_tid(self) -> str:
        """A name like that of a thread, for what runs here. Each one is given once."""
        if self._loop is None:
            self._open()
        return f"{self._tid}-{next(self._numbers)}"

    def describe(self) -> list[str]:
        """What each task on the loop is waiting for, as text: for SIGTTIN."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return []
        return describe_tasks([self._view(task) for task in asyncio.all_tasks(loop)])

    # -- on the loop -------------------------------------------------------------------------------

    def left(self, ride: Ride) -> None:
        """It is over."""
        if ride.task is not None:
            self._riding.pop(ride.task, None)

    def _let_in(self) -> None:
        self._called = False
        inbox, riding, loop = self._inbox, self._riding, asyncio.get_running_loop()
        while inbox:
            ride = inbox.popleft()
            ride.task = task = loop.create_task(ride.go(), context=ride.context)
            if not task.done():  # with eager tasks it may be over
                riding[task] = ride  # also keeps it alive: a loop alone does not
        if self._watch is not None:
            self._watch.wake()

    def _cancel_soon(self, ride: Ride) -> None:
        if ride.task is None:
            self._let_in()  # the thread that has taken it upon itself to ask for that may not have come to it yet
        # A task that is cancelled before its first step has none.
        asyncio.get_running_loop().call_soon(self._cancel_now, ride)

    def _cancel_now(self, ride: Ride) -> None:
        if ride.task is not None and ride.task in self._riding:  # else it has left, and may not be cancelled any more
            ride.task.cancel()

    # -- its life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Nothing: the first ride starts it."""

    def quiet(self) -> None:
        """Nothing: what rides goes on."""

    def stop(self, deadline_s: float) -> None:
        """Cancel what is still there, close the loop, and wait for that until `deadline_s` (monotonic)."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
        if loop is None or thread is None or not thread.is_alive():
            return
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(loop.stop)
        thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._watch is not None:
            self._watch.stop()
        self._aside.close()

    def _open(self) -> Loop:
        with self._lock:
            if self._closed:
                raise Shutdown
            if self._loop is None:
                loop, begun = new_loop(self._kind), threading.Event()
                self._thread = threading.Thread(target=self._live, args=(loop, begun), name="pillion.loop", daemon=True)
                self._thread.start()
                begun.wait()
                self._watch = LoopWatch(
                    loop, self._thread, lambda: bool(self._riding), lambda task: self._view(task).name
                )
                self._loop = loop
            return self._loop

    def _live(self, loop: Loop, begun: threading.Event) -> None:
        self._tid = tid()
        asyncio.set_event_loop(loop)
        begun.set()
        while True:
            try:
                loop.run_forever()
                break
            except (SystemExit, KeyboardInterrupt) as exc:  # of a task that no job awaits: it ends itself, not us
                log.warning("A task on the event loop wanted to end the process (%r); the loop goes on", exc)
                if self._closed:
                    break
        try:
            loop.run_until_complete(_clean_up(loop))
        except (Exception, SystemExit, KeyboardInterrupt) as exc:  # noqa: BLE001 - it is the end in any case
            log.warning("The event loop did not end in order: %r", exc)
        finally:
            asyncio.set_event_loop(None)
            loop.close()  # also on a task that does not let itself be cancelled: asyncio will say so

    def _view(self, task: asyncio.Task[Any]) -> TaskView:
        ride = self._riding.get(task)
        if ride is not None:
            return TaskView(ride.name, ride.detail, task.get_coro())
        get_context: Callable[[], Context] | None = getattr(task, "get_context", None)  # from Python 3.12 on
        payload = payload_in(get_context()) if get_context is not None else None
        if payload is not None:
            name = str(payload.get("wrapped") or payload.get("class"))
            return TaskView(name, f"{payload.get('jid')}, {task.get_name()}", task.get_coro())
        coroutine = task.get_coro()
        return TaskView(str(getattr(coroutine, "__qualname__", coroutine)), task.get_name(), coroutine)


def check_installed(kind: str) -> None:
    """Raise ConfigError for a loop that is not installed. Loads nothing: many a worker has no async jobs."""
    if kind == "uvloop" and importlib.util.find_spec("uvloop") is None:
        hint = "pip install 'pillion[uvloop]', or leave the option out."
        raise ConfigError("event_loop", "a loop that is installed", kind, hint)


def new_loop(kind: str) -> Loop:
    """An event loop of that kind; see Lane."""
    if kind == "asyncio" or importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    made: Loop = importlib.import_module("uvloop").new_event_loop()
    return made


async def _clean_up(loop: Loop) -> None:
    """As `asyncio.run` does it, but for a limited time: a task may refuse to be cancelled."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CLEAN_UP_S)
    await loop.shutdown_asyncgens()
