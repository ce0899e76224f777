"""Launcher: one worker process from its first job to its last.

It owns the order in which the parts come up and go down (behaviour 12); the parts do the work. It
installs no signal handlers and takes no decision about when to stop, so that it can also live inside
another program (behaviour 24).

Order up:    config frozen, `startup` hooks, owner record and lease, the jobs of dead neighbours taken
             back, heartbeat, then the managers: no job is fetched before Redis knows who would hold it.
Order down:  quiet (managers, scheduler, `quiet` hooks), managers drained with the `shutdown` hooks
             running meanwhile, the services of features, the background services, heartbeat and
             process record, owner record (only if nothing is left in flight), `exit` hooks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from pillion.config import Config
from pillion.server.caution import Caution
from pillion.server.heartbeat import Heartbeat
from pillion.server.isolation.door import Isolation
from pillion.server.lane import Lane
from pillion.server.lease import Lease
from pillion.server.lifecycle import Lifecycle
from pillion.server.manager import Manager
from pillion.server.owner import Ownership
from pillion.server.reaper import Reaper
from pillion.server.reporter import Reporter
from pillion.server.runtime import Runtime
from pillion.server.scheduler import Scheduler
from pillion.server.service import Service

# A manager gets this long beyond the deadline to interrupt what still runs; then we go on without it.
INTERRUPT_GRACE_S = 2.0
SCHEDULER_STOP_S = 5.0


class Records(Protocol):
    """The entry of this process among the owners of jobs: `owner.Ownership`."""

    def register(self) -> object:
        """Enter it, with its first lease. Raises RedisError."""
        ...

    def release(self) -> object:
        """Strike it off if nothing is left in flight. Raises RedisError."""
        ...


@dataclass(slots=True, frozen=True)
class Parts:
    """What a launcher is made of.

    `managers`: one for each capsule. `background`: what runs until the end beside them (the reaper).
    `services` are those of features: they see the end of the last job, and none of their errors stops anything.
    `lease` is the thread that renews this process's own lease. `take_back` gives back the jobs of
    processes that are known to be dead, once, before the first fetch. `on_leaving` is called when the
    lease is about to end: who else renews it should stop doing so. `warn` says that a process has died.
    `tasks` describes what is on the event loop.
    """

    records: Records
    managers: Sequence[Service]
    scheduler: Service
    heartbeat: Service
    background: Sequence[Service]
    lease: Service
    take_back: Callable[[], object]
    on_leaving: Callable[[], object]
    services: Sequence[Service] = ()
    warn: Callable[[], object] = lambda: None
    tasks: Callable[[], Sequence[str]] = tuple


class Launcher:
    """Starts, quiets and stops all parts of a worker process.

    Parameters: `supervised` says that somebody else renews the lease, see `keep_own_lease`.
    """

    def __init__(
        self, config: Config, parts: Parts, lifecycle: Lifecycle, reporter: Reporter, *, supervised: bool = False
    ) -> None:
        self._config = config
        self._parts = parts
        self._lifecycle = lifecycle
        self._reporter = reporter
        self._supervised = supervised
        self._lock = threading.Lock()
        self._is_quiet = False
        self._is_stopping = False

    @property
    def is_quiet(self) -> bool:
        """Whether it takes nothing new any more."""
        return self._is_quiet

    # -- up ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything. Raises what a `startup` hook raises, and RedisError; then nothing was fetched."""
        self.prepare()
        self.work()

    def prepare(self) -> None:
        """All that comes before the first fetch. Raises as `start`."""
        self._config.freeze()
        self._lifecycle.fire("startup")
        self._parts.records.register()
        if not self._supervised:
            self._parts.lease.start()
        self._guarded("taking back the jobs of dead processes", self._parts.take_back)

    def work(self) -> None:
        """Begin to take jobs. From here on a job may keep this process from saying another word."""
        parts = self._parts
        for part in (parts.heartbeat, *parts.managers, parts.scheduler, *parts.background):
            part.start()
        for service in parts.services:
            self._guarded("starting a service", service.start)

    def keep_own_lease(self) -> None:
        """Nobody else renews the lease any more: do it from here on."""
        self._parts.lease.start()

    def warn(self) -> None:
        """Another process has died, and its jobs come back: one of them may have done it."""
        self._parts.warn()

    def tasks(self) -> Sequence[str]:
        """What each task on the event loop is waiting for."""
        return self._parts.tasks()

    # -- down --------------------------------------------------------------------------------------

    def quiet(self) -> None:
        """Take nothing new; what runs goes on. Cannot be taken back; a second call does nothing."""
        self._quiet_parts()
        self._lifecycle.fire("quiet")

    def stop(self, deadline_s: float) -> None:
        """Let running jobs end until `deadline_s` (monotonic), interrupt and hand back the rest, take all down.

        Returns at the latest a few seconds after the deadline, whatever the jobs do. A second call does nothing.
        """
        if not self._first_stop():
            return
        self._quiet_parts()
        self._drain(deadline_s)
        self._take_down(deadline_s + INTERRUPT_GRACE_S)

    def hurry(self) -> None:
        """Bring the deadline of a `stop` under way forward to now."""
        now_s = time.monotonic()
        for manager in self._parts.managers:
            self._guarded("stopping at once", partial(manager.stop, now_s))

    def _first_stop(self) -> bool:
        with self._lock:
            first, self._is_stopping = not self._is_stopping, True
            return first

    def _quiet_parts(self) -> None:
        with self._lock:
            if self._is_quiet:
                return
            self._is_quiet = True
        for manager in self._parts.managers:
            self._guarded("going quiet", manager.quiet)
        for service in self._parts.services:
            self._guarded("going quiet", service.quiet)
        self._guarded("going quiet", self._parts.heartbeat.quiet)
        self._parts.scheduler.stop(time.monotonic() + SCHEDULER_STOP_S)

    def _drain(self, deadline_s: float) -> None:
        """Stop the managers side by side, and run the hooks meanwhile: neither may hold the others up."""
        tasks: list[Callable[[], object]] = [self._fire_stop_hooks]
        tasks += [partial(manager.stop, deadline_s) for manager in self._parts.managers]
        threads = [
            threading.Thread(target=self._guarded, args=("stopping", task), name="pillion.drain", daemon=True)
            for task in tasks
        ]
        for thread in threads:
            try:
                thread.start()
            except RuntimeError:  # since Python 3.12 none begins when the interpreter ends: one after the other then
                thread.run()
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s + INTERRUPT_GRACE_S - time.monotonic()))

    def _fire_stop_hooks(self) -> None:
        self._lifecycle.fire("quiet")
        self._lifecycle.fire("shutdown")

    def _take_down(self, deadline_s: float) -> None:
        parts = self._parts
        for part in (*parts.services, *parts.background, parts.heartbeat, parts.lease):
            self._guarded("stopping", partial(part.stop, deadline_s))
        self._guarded("leaving", parts.on_leaving)
        self._guarded("leaving the list of owners", parts.records.release)
        self._lifecycle.fire("exit")

    def _guarded(self, what: str, task: Callable[[], object]) -> None:
        try:
            task()
        except Exception as exc:  # noqa: BLE001 - the remaining parts must still be started and stopped
            self._reporter.report(exc, {"context": f"Error while {what}"})


def assemble(
    runtime: Runtime,
    *,
    on_signal: Callable[[str], None],
    on_leaving: Callable[[], object] = lambda: None,
    supervised: bool = False,
    embedded: bool = False,
    cautious: bool = False,
) -> Launcher:
    """A launcher with all its parts, not started.

    Parameters: `on_signal` is given signals that come through Redis. `supervised`: another process
    renews the lease, until `on_leaving` is called. `embedded`: this process belongs to another program,
    and says so in its record. `cautious`: this process replaces one that crashed. Raises what a feature raises
    that cannot make its service.
    """
    config, storage, identity, reporter = runtime.config, runtime.storage, runtime.identity, runtime.reporter
    lifecycle = Lifecycle(config, reporter)
    caution = Caution(storage)
    lane = Lane(config.event_loop)
    isolation = Isolation(config, runtime.registry, runtime.app)
    managers = [Manager(runtime, capsule, caution, lane, isolation) for capsule in config.capsules.values()]
    queues = [queue.name for capsule in config.capsules.values() for queue in capsule.queues]
    ownership = Ownership(storage, identity, queues)
    reaper = Reaper(storage, config, identity, reporter, on_suspects=caution.look)

    def be_cautious() -> None:
        for manager in managers:
            manager.be_cautious()

    def take_back() -> None:
        if reaper.recover_neighbours():
            be_cautious()
        caution.look()

    if cautious:
        be_cautious()
    heartbeat = Heartbeat(
        storage,
        config,
        identity,
        reporter,
        work=lambda: [entry for manager in managers for entry in manager.work()],
        is_quiet=lambda: launcher.is_quiet,
        fire=lifecycle.fire,
        on_signal=on_signal,
        audits=[ownership.keep, *(manager.audit for manager in managers)],
        embedded=embedded,
    )
    parts = Parts(
        records=ownership,
        managers=managers,
        scheduler=Scheduler(storage, config, identity, runtime.client.promote_payload, reporter),
        heartbeat=heartbeat,
        background=[reaper, lane],
        lease=Lease(storage, lambda: [identity], reporter),
        take_back=take_back,
        on_leaving=on_leaving,
        warn=caution.warn,
        tasks=lane.describe,
        services=[isolation, *(make(runtime) for make in config.services)],
    )
    launcher = Launcher(config, parts, lifecycle, reporter, supervised=supervised)
    return launcher
