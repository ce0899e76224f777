"""Supervisor: the parent of one or more worker processes.

Design record
- It is small and never imports the app: what the app does wrong cannot hurt it. It has one thread and
  one loop, which sleeps until a signal, a word from a worker, or the next date in the diary.
- Workers are forked after the server's modules are imported, so that they share that memory.
- It renews the leases of the workers that live (a worker whose jobs hold the GIL for minutes is busy,
  not dead), and the moment one dies it takes back that worker's jobs: the kernel has told it for sure.
- If it is killed itself, each worker reads the end of file on its link, goes on with a lease of its
  own, lets its jobs end and leaves. No orphan takes new work.
- A worker is started again only if it ended by itself. One that was told to stop, also through Redis,
  says so before it exits; when the last has gone that way, the supervisor goes too.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

from pillion._version import VERSION
from pillion.config import Config
from pillion.errors import ConfigError
from pillion.server.children import (
    HURRY,
    WARNING,
    Child,
    Fate,
    Link,
    Seat,
    fate_of,
    plan_seats,
    quick_deaths_after,
    restart_delay_s,
)
from pillion.server.endings import describe_end
from pillion.server.guardian import NEVER, Guardian, News
from pillion.server.identity import make_identity, new_nonce
from pillion.server.signals import Action, SignalInbox, action_of
from pillion.server.spawn import SIGNALS, fork_worker
from pillion.server.systemd import READY, STOPPING, WATCHDOG, Notifier, watchdog_interval_s
from pillion.server.worker import Order, run_worker
from pillion.settings.readers import WorkerGroup

log = logging.getLogger("pillion")

# A healthy worker ends itself a little earlier; this is for one whose job never lets go of the GIL.
KILL_GRACE_S = 3.0


def run(config: Config, *, targets: Sequence[str], require: Sequence[str], workers: Sequence[WorkerGroup]) -> int:
    """Run worker processes until they have all been told to stop; return the exit code.

    Parameters: `targets` and `require` say what to load (see `loader.load_app`), `workers` how many
    processes to keep running, for which queues. Returns 0 after an orderly stop, 1 if the app could not be started.
    Main thread only. Spec: behaviour 10 and 11; F047, F056, F063, F068.
    """
    try:
        config.validate()
        if not workers or any(group.count < 1 for group in workers):
            raise ConfigError("processes", "at least one worker process, in each group", list(workers))
    except ConfigError as exc:
        log.error("%s", exc)
        return 1
    return Supervisor(Order(config, targets, require, nonce=""), plan_seats(workers)).run()


class Supervisor:
    """Keeps a worker running in each of `seats`; each carries out `order`, for the queues of its seat."""

    def __init__(self, order: Order, seats: Sequence[Seat]) -> None:
        self._order = order
        self._seats = seats
        self._inbox = SignalInbox()
        self._guardian = Guardian(order.config, self._identities)
        self._notifier = Notifier()
        self._watchdog_s = watchdog_interval_s(os.environ, os.getpid()) if self._notifier else None
        self._next_watchdog_s = 0.0
        self._timeout_s = order.config.timeout_s
        self._quiet = False
        self._stopping = False
        self._announced = False
        self._kill_at_s = NEVER
        self._exit_code = 0

    def run(self) -> int:
        """Start the workers, look after them, return the exit code when none is left."""
        hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # started with nohup
        self._inbox.trap(name for name in SIGNALS if not (hangup and name == "HUP"))
        log.info("Pillion %s starting, supervisor pid %d, workers: %d", VERSION, os.getpid(), len(self._seats))
        try:
            for seat in self._seats:
                self._start(seat)
            while self._is_needed():
                self._turn()
        finally:
            self._inbox.close()
            self._guardian.close()
        return self._exit_code

    def _is_needed(self) -> bool:
        """There are workers, or there will be. A quiet supervisor waits to be stopped even without any."""
        if self._children():
            return True
        return not self._stopping and any(seat.restart_at_s is not None for seat in self._seats)

    def _children(self) -> list[Child]:
        return [seat.child for seat in self._seats if seat.child is not None]

    def _identities(self) -> list[str]:
        return [child.identity for child in self._children() if child.needs_lease]

    # -- the loop ----------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._sleep()
        for name in self._inbox.drain():
            self._obey(name)
        for seat in self._seats:
            self._listen(seat)
            self._reap(seat)
        self._reap_strangers()
        now_s = time.monotonic()
        self._start_due(now_s)
        if now_s >= self._kill_at_s and self._children():
            self._kill()
        self._guardian.tick(now_s)
        self._feed_watchdog(now_s)

    def _sleep(self) -> None:
        """Wait for a signal, for a word or the death of a worker, or for the next date."""
        dates = [self._guardian.next_s, self._kill_at_s]
        dates += [seat.restart_at_s for seat in self._seats if seat.restart_at_s is not None]
        if self._watchdog_s is not None:
            dates.append(self._next_watchdog_s)
        watched: list[Link | SignalInbox] = [self._inbox]
        watched += [child.link for child in self._children() if not child.link.ended]
        wait_s = max(0.0, min(dates) - time.monotonic())
        select.select(watched, [], [], None if wait_s == NEVER else wait_s)

    def _obey(self, name: str) -> None:
        action = Action.STOP if name == "HUP" else action_of(name)
        if action is Action.STOP:
            if name == "INT" and self._stopping:
                self._hurry()
            self._stop(name)
        elif action is Action.QUIET:
            self._quiet = True
            self._tell("TSTP")
        elif action is Action.DUMP:
            self._tell("TTIN")
        elif name == "USR2":
            self._tell("USR2")

    def _tell(self, name: str) -> None:
        for child in self._children():
            child.signal(name)

    # -- starting ----------------------------------------------------------------------------------

    def _start(self, seat: Seat) -> None:
        seat.restart_at_s = None
        first = seat.number == 1 and not seat.had_ready
        # A seat that was ready before is filled again only after a crash.
        order = replace(self._order, nonce=new_nonce(), queues=seat.queues, is_first=first, cautious=seat.had_ready)
        inherited: list[Link | SignalInbox] = [self._inbox, *(child.link for child in self._children())]
        try:
            pid, link = fork_worker(lambda link, inbox: run_worker(order, link, inbox), inherited)
        except OSError as exc:
            seat.quick_deaths += 1
            delay_s = restart_delay_s(seat.quick_deaths)
            seat.restart_at_s = time.monotonic() + delay_s
            log.error("Could not start a worker process: %s. Trying again in %g s.", exc, delay_s)
            return
        seat.child = Child(pid, make_identity(order.nonce, pid), link, time.monotonic())
        served = f", for {', '.join(seat.queues)}" if seat.queues else ""
        log.info("Worker %d started, pid %d%s", seat.number, pid, served)

    def _start_due(self, now_s: float) -> None:
        for seat in self._seats:
            if seat.restart_at_s is not None and now_s >= seat.restart_at_s and not self._stopping:
                self._start(seat)

    def _listen(self, seat: Seat) -> None:
        child = seat.child
        if child is None or child.link.ended:
            return
        was_ready = child.ready
        child.listen()
        if child.ready and not was_ready:
            seat.had_ready = True
            news = News.parse(child.news)
            self._timeout_s = news.timeout_s
            self._guardian.learn(news)
            self._announce()

    def _announce(self) -> None:
        if not self._announced and all(seat.had_ready for seat in self._seats):
            self._announced = True
            self._notify(READY)

    # -- the end of a worker -------------------------------------------------------------------------

    def _reap(self, seat: Seat) -> None:
        child = seat.child
        if child is None:
            return
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid == 0:
            return
        self._listen(seat)  # its last words
        child.link.close()
        seat.child = None
        self._guardian.bury(child.identity)
        self._follow_up(seat, child, os.waitstatus_to_exitcode(status))

    def _follow_up(self, seat: Seat, child: Child, exit_code: int) -> None:
        fate = fate_of(child, exit_code, had_ready=seat.had_ready, told_to_stop=self._stopping)
        end = describe_end(exit_code)
        if fate is Fate.STOPPED:
            log.info("Worker %d (pid %d) has stopped, %s", seat.number, child.pid, end)
        elif fate is Fate.BOOT_FAILED:
            log.error("The app could not be started (%s).\n%s", end, child.failure or "It gave no reason.")
            self._exit_code = 1
            self._stop("boot failed")
        else:
            for other in self._children():
                other.link.send(WARNING)  # before its jobs are given back
            self._plan_restart(seat, child, end)

    def _plan_restart(self, seat: Seat, child: Child, end: str) -> None:
        why = f"\n{child.failure}" if child.failure else ""
        now_s = time.monotonic()
        if self._quiet:
            seat.restart_at_s = NEVER
            log.error("Worker %d (pid %d) died, %s. Quiet: it is not replaced.%s", seat.number, child.pid, end, why)
            return
        seat.quick_deaths = quick_deaths_after(seat.quick_deaths, now_s - child.started_s)
        delay_s = restart_delay_s(seat.quick_deaths)
        seat.restart_at_s = now_s + delay_s
        when = f"in {delay_s:g} s" if delay_s else "now"
        log.error("Worker %d (pid %d) died, %s. The next one starts %s.%s", seat.number, child.pid, end, when, why)

    def _reap_strangers(self) -> None:
        """As the first process of a container we inherit every orphan; without us they stay zombies."""
        if os.getpid() != 1:
            return
        ours = {child.pid for child in self._children()}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            if found.si_pid in ours:
                self._inbox.put("CHLD")  # look again: it has died since we looked at ours
                return
            os.waitpid(found.si_pid, os.WNOHANG)

    # -- stopping ------------------------------------------------------------------------------------

    def _stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        if count := len(self._children()):
            log.info("Stopping %d %s (%s)", count, "worker" if count == 1 else "workers", why)
        self._notify(STOPPING)
        self._kill_at_s = time.monotonic() + self._timeout_s + KILL_GRACE_S
        self._tell("TERM")

    def _hurry(self) -> None:
        """Asked again: first the workers are told not to wait for their jobs, then they are killed."""
        hurried_s = time.monotonic() + KILL_GRACE_S
        if self._kill_at_s <= hurried_s:
            self._kill()
            return
        self._kill_at_s = hurried_s
        for child in self._children():
            child.link.send(HURRY)

    def _kill(self) -> None:
        self._kill_at_s = NEVER
        log.warning("Killing %d workers that do not end; their jobs are taken back", len(self._children()))
        self._tell("KILL")

    # -- the service manager ---------------------------------------------------------------------------

    def _feed_watchdog(self, now_s: float) -> None:
        if self._watchdog_s is not None and now_s >= self._next_watchdog_s:
            self._next_watchdog_s = now_s + self._watchdog_s
            self._notify(WATCHDOG)

    def _notify(self, state: str) -> None:
        try:
            self._notifier.notify(state)
        except OSError as exc:
            log.warning("Cannot tell the service manager %s: %s", state, exc)
