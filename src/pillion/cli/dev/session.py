"""Session: one `pillion dev`, from its first process to its last.

Design record. All that happens (files have changed, a process has ended, the worker is ready, Ctrl-C) comes as a
function into one line, and the main thread carries out one after the other. So there are no locks here, and no two
things happen at once.

A change leads to a new process, never to reloaded modules: half of an old module in a new one is worse than a second of
waiting. Before the old worker is stopped the changed files are compiled: with a syntax error in them it stays.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from pillion.cli.dev.changes import Watcher, summary, syntax_error
from pillion.cli.dev.children import Child, Minder, Order, ReadyLine
from pillion.cli.dev.lines import Printer
from pillion.server.endings import describe_end

WORKER = "worker"
# What a worker may take beyond that time: the one it gives to jobs that never let go, and some more.
EXTRA_S = 5.0
_NEVER_S = float("inf")


@dataclass(slots=True, frozen=True)
class Plan:
    """What to run.

    `arguments` are those of `pillion run`; `timeout_s` is how long running jobs may go on when a worker is replaced,
    as the arguments say. `beside` are the further commands, `watched` the folders whose changes count, () for none.
    """

    arguments: Sequence[str]
    timeout_s: float
    beside: Sequence[Order] = ()
    watched: Sequence[Path] = ()

    @property
    def worker(self) -> Order:
        """The worker."""
        return Order(WORKER, [sys.executable, "-m", "pillion", "run", *self.arguments])


class Session:
    """Carries out a plan until Ctrl-C. `folder` is the one that paths are shown from."""

    def __init__(self, plan: Plan, printer: Printer, folder: Path) -> None:
        self._plan = plan
        self._printer = printer
        self._folder = folder
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._children: dict[str, Child] = {}
        self._environ = dict(os.environ)
        self._worker_environ: dict[str, str] = {}
        self._minder: Minder | None = None
        self._broken: frozenset[Path] = frozenset()
        self._began_s = time.monotonic()
        self._is_first = True
        self._replacing = False
        self._stops = 0
        self._kill_at_s = _NEVER_S

    def run(self) -> None:
        """Run everything until it is told to stop. Raises ConfigError without watchfiles, OSError without processes."""
        with ExitStack() as stack:
            watcher = self._make_watcher()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves the last of them
                    signal.signal(number, self._told_to_stop)
            self._printer.on_gone = self._told_to_stop
            ready = stack.enter_context(ReadyLine(lambda: self._events.put(self._ready)))
            self._worker_environ = ready.environ
            self._minder = Minder()
            stack.callback(self._minder.close)
            for order in (self._plan.worker, *self._plan.beside):
                self._start(order)
            if watcher is not None:
                watcher.start()
                stack.callback(watcher.stop)
            while self._children or not self._stops:
                self._turn()

    # -- the loop ------------------------------------------------------------------------------------

    def _turn(self) -> None:
        wait_s = max(0.0, self._kill_at_s - time.monotonic())
        try:
            self._events.get(timeout=None if wait_s == _NEVER_S else wait_s)()
        except Empty:
            self._kill()

    def _make_watcher(self) -> Watcher | None:
        if not self._plan.watched:
            return None
        events = self._events
        return Watcher(
            self._plan.watched,
            changed=lambda paths: events.put(partial(self._changed, paths)),
            watching=lambda: events.put(self._say_watching),
            failed=lambda why: events.put(partial(self._say_blind, why)),
        )

    def _say_watching(self) -> None:
        folders = ", ".join(map(str, self._plan.watched))
        self._printer.say(f"watching {folders} for changes; Ctrl-C stops everything")

    def _say_blind(self, why: str) -> None:
        self._printer.complain(f"cannot see changes of code any more, restart me for them: {why}")

    # -- processes -----------------------------------------------------------------------------------

    def _start(self, order: Order) -> None:
        environ = {**self._environ, "PYTHONUNBUFFERED": "1"}
        if order.name == WORKER:
            environ |= self._worker_environ
        assert self._minder is not None
        self._children[order.name] = Child(
            order,
            environ,
            self._printer,
            self._minder,
            ended=lambda child: self._events.put(partial(self._ended, child)),
        )

    def _ended(self, child: Child) -> None:
        del self._children[child.name]
        if self._stops:
            return
        if child.name == WORKER and self._replacing:
            self._replacing = False
            self._start(self._plan.worker)
        else:
            wait = "it starts again with the next change of code" if self._plan.watched else "the rest goes on"
            self._printer.complain(f"{child.name} has ended, {describe_end(child.exit_code)}; {wait}")

    def _ready(self) -> None:
        if not self._replacing and not self._stops:
            since = "the start" if self._is_first else "the change"
            self._is_first = False
            self._printer.say(f"the worker takes jobs, {time.monotonic() - self._began_s:.1f} s after {since}")

    # -- changes -------------------------------------------------------------------------------------

    def _changed(self, paths: frozenset[Path]) -> None:
        if self._stops:
            return
        self._printer.say(f"changed: {summary(paths, self._folder)}")
        errors = {path: error for path in sorted(paths | self._broken) if (error := syntax_error(path))}
        self._broken = frozenset(errors)
        if errors:
            for error in errors.values():
                self._printer.complain(error)
            goes_on = WORKER in self._children and not self._replacing
            self._printer.say("waiting for the next change" + ("; the worker goes on as it was" if goes_on else ""))
            return
        self._renew()

    def _renew(self) -> None:
        """A new worker, as soon as the old one has ended; and what has ended by itself."""
        for order in self._plan.beside:
            if order.name not in self._children:
                self._start(order)
        worker = self._children.get(WORKER)
        if self._replacing:
            return  # it has not begun yet: it will see this change too
        self._began_s = time.monotonic()
        if worker is None:
            self._start(self._plan.worker)
        else:
            self._replacing = True
            worker.send(signal.SIGTERM)

    # -- the end -------------------------------------------------------------------------------------

    def _told_to_stop(self, *_: object) -> None:
        """By a signal, or as nobody reads any more."""
        self._events.put(self._stop)

    def _stop(self) -> None:
        """The first time: running jobs get their moment. Once more: at once. Once more: kill."""
        self._stops += 1
        if self._stops == 1:
            self._printer.say("stopping")
            self._kill_at_s = time.monotonic() + self._plan.timeout_s + EXTRA_S
        elif self._stops > 2:
            self._kill()
        for child in self._children.values():
            if child.name != WORKER:
                child.send_to_group(signal.SIGTERM if self._stops == 1 else signal.SIGKILL)
            else:
                child.send(signal.SIGTERM if self._stops == 1 else signal.SIGINT)

    def _kill(self) -> None:
        self._kill_at_s = _NEVER_S
        for child in self._children.values():
            self._printer.complain(f"{child.name} does not end: killed")
            child.send_to_group(signal.SIGKILL)
