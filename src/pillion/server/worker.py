"""Worker: what one worker process does, from loading the app to its exit code.

The main thread runs no jobs. It boots the process, then sleeps until a signal, a word of the supervisor
or the end of the drain wakes it, and obeys. It stays awake while jobs drain, so that a thread dump can
show what a shutdown waits for, and it ends the process itself if the drain does not come to an end.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pillion import default
from pillion._version import VERSION
from pillion.client import Client
from pillion.config import Config
from pillion.errors import ConfigError, RedisError
from pillion.server.children import FAILED, HURRY, LEAVING, READY, STOPPING, WARNING, Link
from pillion.server.features import install_features
from pillion.server.guardian import News
from pillion.server.identity import default_tag, make_identity
from pillion.server.isolation.app import App
from pillion.server.launcher import Launcher, assemble
from pillion.server.loader import BootError, load_app, require_jobs
from pillion.server.preflight import check_redis
from pillion.server.reporter import Reporter
from pillion.server.runtime import Runtime
from pillion.server.signals import Action, SignalInbox, action_of
from pillion.server.thread_dump import dump_threads
from pillion.storage.connect import Target, open_target, resolve_url

log = logging.getLogger("pillion")

EXIT_OK = 0
EXIT_BOOT = 1
# The drain ends at the deadline; handing back, records and hooks get this long on top.
HARD_EXIT_GRACE_S = 2.75


@dataclass(slots=True, frozen=True)
class Order:
    """What a worker process is told to run.

    `queues`: what to serve instead of the queues of `config`; (): just those. `is_first`: it speaks for
    its siblings where all would say the same. `cautious`: it replaces one that crashed.
    """

    config: Config
    targets: Sequence[str]
    require: Sequence[str]
    nonce: str
    queues: Sequence[str] = ()
    is_first: bool = True
    cautious: bool = False


def run_worker(order: Order, link: Link, inbox: SignalInbox) -> int:
    """Boot, work until told to stop, return the exit code. The whole life of a supervised process."""
    try:
        launcher, news = boot(order, inbox, link)
        # Before the first job: one that never lets go of the interpreter needs its lease renewed from outside.
        link.send(READY, news.dump())
        launcher.work()
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - the supervisor decides what it means, and says it once
        link.send(FAILED, describe_failure(exc))
        return EXIT_BOOT
    Worker(launcher, inbox, order.config.timeout_s, link).run()
    return EXIT_OK


# -- booting ---------------------------------------------------------------------------------------


def boot(order: Order, inbox: SignalInbox, link: Link) -> tuple[Launcher, News]:
    """Load the app, check Redis, run the `startup` hooks, register (behaviour 11).

    Returns a launcher that is ready to work, and what the supervisor has to know. Raises BootError, ConfigError,
    RedisError, or whatever a `startup` hook raises.
    """
    config = order.config
    directory = Path.cwd()
    load_app(order.targets, order.require, directory)
    default.run_server_blocks(config)
    require_jobs(default.registry().names(), [*order.require, *order.targets])
    devote(config, order.queues)
    install_features(config)
    config.tag = config.tag or default_tag(directory)
    config.freeze()
    inbox.trap(names_to_trap())
    target = resolve_url(config.redis, os.environ, config.embedded_data_dir)
    runtime = make_runtime(config, target, order.nonce, App(order.targets, order.require, directory))
    version = check_redis(runtime.storage, warn=order.is_first)
    default.install(config, runtime.client)  # what jobs push goes over the same connections
    launcher = assemble(
        runtime,
        supervised=True,
        on_signal=inbox.put,
        on_leaving=partial(link.send, LEAVING),
        cautious=order.cautious,
    )
    launcher.prepare()
    log_start(runtime, version)
    if order.is_first and not order.queues:
        log_unserved(runtime)
    return launcher, News(target.url, config.timeout_s)


def devote(config: Config, queues: Sequence[str]) -> None:
    """Have this process serve `queues` and nothing else; () leaves everything as it is. (F056)

    Raises ConfigError if there are further capsules: every worker would serve them too, whatever its number says.
    """
    if not queues:
        return
    if others := [name for name in config.capsules if name != "default"]:
        hint = f"Give each of its queues a number in `processes`, or run the capsule {others[0]} on its own."
        raise ConfigError("processes", "no further capsules where each queue has its number", others, hint)
    config.queues = queues


def names_to_trap() -> list[str]:
    """The signals a worker takes (behaviour 10). USR2 only so that it does no harm, unless the app uses it."""
    names = ["TERM", "TSTP", "TTIN"]
    if signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL:
        names.append("USR2")
    return names


def make_runtime(config: Config, target: Target, nonce: str, app: App | None = None) -> Runtime:
    """Everything the parts of this process share; `app` is what was loaded, None if that has no names."""
    storage = open_target(target, config.redis)
    reporter = Reporter(config)
    client = Client(storage, config)
    return Runtime(config, storage, make_identity(nonce), default.registry(), client, reporter, app)


def log_start(runtime: Runtime, version: str) -> None:
    """Say what runs here, in the first lines of the log (F070)."""
    config = runtime.config
    log.info(
        "Pillion %s ready: %s on Redis %s at %s, in %s",
        VERSION, runtime.identity, version, runtime.storage.description, config.environment,
    )  # fmt: skip
    for capsule in config.capsules.values():
        queues = ", ".join(f"{name},{weight}" if weight else name for name, weight in capsule.weights.items())
        log.info("Capsule %s: %d jobs at a time from %s (%s)", capsule.name, capsule.concurrency, queues, capsule.mode)
    for side, chain in (("Client", config.client_middleware), ("Server", config.server_middleware)):
        log.debug("%s middleware: %s", side, ", ".join(map(str, chain)) or "none")


def log_unserved(runtime: Runtime) -> None:
    """Point out jobs that would wait here for ever. Not a warning: another process may be there for them."""
    unserved = unserved_queues(runtime)
    if unserved:
        which = "; ".join(f"{queue} ({', '.join(names)})" for queue, names in unserved.items())
        log.info("Jobs of these queues are left to others, this process does not serve them: %s", which)


def unserved_queues(runtime: Runtime) -> dict[str, list[str]]:
    """Queue to the names of jobs whose own option puts them there, for queues of no capsule here."""
    served = {queue.name for capsule in runtime.config.capsules.values() for queue in capsule.queues}
    unserved: dict[str, list[str]] = {}
    for name in runtime.registry.names():
        queue = str(runtime.registry.find(name).options["queue"])
        if queue not in served:
            unserved.setdefault(queue, []).append(name)
    return unserved


def describe_failure(exc: BaseException) -> str:
    """Why a process could not start: our own errors in their words, others with their traceback."""
    if isinstance(exc, BootError | ConfigError | RedisError):
        return str(exc)
    return "".join(traceback.format_exception(exc)).rstrip()


# -- working ---------------------------------------------------------------------------------------


class Worker:
    """The main thread of a booted process.

    Parameters: `link` leads to the supervisor, None if there is none. `timeout_s` is how long running
    jobs may go on after the order to stop. A second INT does what HURRY does: it can only have been
    meant for this process, as those of a terminal are ignored under a supervisor.
    """

    def __init__(self, launcher: Launcher, inbox: SignalInbox, timeout_s: float, link: Link | None = None) -> None:
        self._launcher = launcher
        self._inbox = inbox
        self._link = link
        self._timeout_s = timeout_s
        self._stopping = False
        self._drained = threading.Event()
        self._hard_exit_s = float("inf")

    def run(self) -> None:
        """Obey signals until the process has stopped, or must not wait any longer."""
        while not self._is_over():
            self._sleep()
            for name in self._inbox.drain():
                self._obey(name)
            if self._link is not None:
                self._listen(self._link)
        log.info("Bye!")

    def _is_over(self) -> bool:
        if self._drained.is_set():
            return True
        overdue = time.monotonic() >= self._hard_exit_s
        if overdue:
            log.warning("Not everything ended in time; leaving. What is still in flight will be taken back.")
        return overdue

    def _sleep(self) -> None:
        watched: list[SignalInbox | Link] = [self._inbox]
        if self._link is not None:
            watched.append(self._link)
        wait_s = self._hard_exit_s - time.monotonic()
        select.select(watched, [], [], None if wait_s == float("inf") else max(0.0, wait_s))

    def _obey(self, name: str) -> None:
        action = action_of(name)
        if action is Action.STOP:
            if name == "INT" and self._stopping:
                self._hurry()
            self._stop(name)
        elif action is Action.QUIET:
            threading.Thread(target=self._go_quiet, args=(name,), name="pillion.quiet", daemon=True).start()
        elif action is Action.DUMP:
            for text in (*dump_threads(), *self._launcher.tasks()):
                log.warning("%s", text)
        elif name:
            log.warning("Signal %s means nothing here: use TERM to stop, TSTP to go quiet, TTIN to see threads", name)

    def _listen(self, link: Link) -> None:
        words = {kind for kind, _ in link.receive()}
        if WARNING in words:
            self._launcher.warn()
        if link.ended:
            link.close()
            self._link = None
            log.warning("The supervisor is gone: going on alone until running jobs are done, then leaving")
            self._launcher.keep_own_lease()
            self._stop("supervisor gone")
        if HURRY in words:
            self._hurry()

    def _go_quiet(self, why: str) -> None:
        self._launcher.quiet()
        log.info("Quiet (%s): this process takes no further jobs", why)

    def _stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stopping = True
        log.info("Stopping (%s): running jobs have %g s to end", why, self._timeout_s)
        if self._link is not None:
            self._link.send(STOPPING)
        deadline_s = time.monotonic() + self._timeout_s
        self._hard_exit_s = deadline_s + HARD_EXIT_GRACE_S
        threading.Thread(target=self._drain, args=(deadline_s,), name="pillion.stop", daemon=True).start()

    def _drain(self, deadline_s: float) -> None:
        try:
            self._launcher.stop(deadline_s)
        except Exception:
            log.exception("The orderly stop failed; leaving all the same")
        finally:
            self._drained.set()
            self._inbox.put("")  # wakes the main thread

    def _hurry(self) -> None:
        """Do not wait for the deadline: interrupt what runs and go."""
        now_s = time.monotonic()
        if now_s + HARD_EXIT_GRACE_S < self._hard_exit_s:
            log.warning("Stopping at once: running jobs are interrupted and handed back")
            self._stop("at once")
            self._hard_exit_s = now_s + HARD_EXIT_GRACE_S
            threading.Thread(target=self._launcher.hurry, name="pillion.hurry", daemon=True).start()
