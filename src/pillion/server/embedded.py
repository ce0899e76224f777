"""EmbeddedWorker: a worker inside a process that has another main task, such as a web server (behaviour 24).

    worker = EmbeddedWorker(queues=["mailers"])
    worker.start()                                  # and worker.stop() at the end
    app = FastAPI(lifespan=worker.lifespan)         # or: the server starts and stops it
    app = worker.asgi(get_asgi_application())       # or: the same for Django

Design record
- The process belongs to somebody else. So there are no signal handlers, no process title, no supervisor; logging is
  the host's; and what dashboards send is ignored. A thread of its own renews the lease.
- Redis may be away when the host starts: that is logged, and tried again beside. Nothing the worker meets later
  leaves its threads.
- Settings are a copy of the host's, with the server blocks called for it. So what the host pushes stays as it is, and
  a host that starts and stops several times (as under tests) starts a new worker each time.
- A fork copies the memory and none of the threads: in the child it is as before `start`. The host is told once, as
  it usually means that a server loads the app before it forks.
- What ends without `stop` is stopped by an exit handler. A process that is killed leaves its jobs to the reapers.

No part of this has to do with the embedded Redis, which is a server process.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from pillion import default
from pillion.config import Config
from pillion.errors import RedisUnavailable
from pillion.server.features import install_features
from pillion.server.identity import default_tag, new_nonce
from pillion.server.launcher import Launcher, assemble
from pillion.server.loader import BootError, load_app
from pillion.server.preflight import check_redis
from pillion.server.worker import log_start, make_runtime
from pillion.storage.connect import resolve_url

log = logging.getLogger("pillion")

# An ASGI application: called with (scope, receive, send).
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

CONCURRENCY = 2
LONGEST_WAIT_S = 15.0

NO_JOBS = """No job is defined in this process, so an embedded worker would have nothing to run.
Import the modules with your jobs before it starts, or name them: EmbeddedWorker(require=["shop.jobs"])"""

CROWDED = (
    "The embedded worker runs up to %d jobs at a time beside the work of its host. They share one interpreter, so each "
    f"slows the others down; {CONCURRENCY} is usual. For more, run a process of its own: pillion run"
)
FORKED = (
    "This process has been forked while an embedded worker runs in it: the new process runs no jobs. If that is a "
    "server that loads the app before it forks (gunicorn --preload), start the worker after the fork, in a hook such "
    "as gunicorn's post_worker_init."
)


class EmbeddedWorker:
    """Runs jobs in threads of this process, from `start` to `stop`. Both may be called again, from any thread.

    Also a context manager, plain and async; `lifespan` and `asgi` are for ASGI applications.

    Parameters:
        concurrency: jobs at a time. They share the interpreter with the host: 2 is usual.
        queues: as in `Config.queues`; None: those of the settings, by default "default".
        timeout_s: how long running jobs may go on after `stop`; None: as in the settings (25). It must be less than
            the host's server waits for the process.
        require: modules to import before the first job.
        configure: called last with the worker's own Config, after the blocks of `pillion.configure_server`.
    """

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        queues: Sequence[object] | None = None,
        timeout_s: float | None = None,
        require: Sequence[str] = (),
        configure: Callable[[Config], Any] | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._queues = queues
        self._timeout_s = timeout_s
        self._require = tuple(require)
        self._configure = configure
        self._lock = threading.RLock()  # a signal handler of the host may call `stop` amid a call of ours
        self._life: _Life | None = None
        self._pid = os.getpid()
        self._watches_forks = self._told_of_fork = False

    @property
    def running(self) -> bool:
        """Whether it takes jobs here and now; False also while it waits for Redis, or in a forked child."""
        life = self._life
        return life is not None and self._pid == os.getpid() and life.taking_jobs

    # -- up and down -------------------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to take jobs. If it has begun already nothing happens.

        Where Redis cannot be reached it is tried again until it can, in a thread. Raises ConfigError and BootError
        for what cannot get better, RedisRefused for a server that is not fit, and what a `startup` hook raises.
        """
        self._notice_fork()
        with self._lock:
            if self._life is None:
                life = _Life(self._make_config())
                life.begin()
                self._life = life
                atexit.register(self.stop)
                self._watch_forks()
        return self

    def quiet(self) -> None:
        """Take no further jobs; those that run go on. For good, until `stop` and another `start`."""
        self._notice_fork()
        with self._lock:
            if self._life is not None:
                self._life.quiet()

    def stop(self, timeout_s: float | None = None) -> None:
        """Take no further jobs, wait for those that run, then interrupt them and hand them back.

        Parameters: `timeout_s` is how long they may go on; None: as the worker was told. Returns when all is done,
        some seconds after that time at the latest. Raises nothing; a second call does nothing.
        """
        self._notice_fork()
        with self._lock:
            life, self._life = self._life, None
            if life is not None:
                atexit.unregister(self.stop)
                life.end(timeout_s)

    # -- for `with`, `async with` and ASGI ------------------------------------------------------------

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        """Start, while the event loop goes on."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncGenerator[None]:  # noqa: ARG002 - it is called with it
        """Run for as long as an ASGI application does: `FastAPI(lifespan=worker.lifespan)`."""
        async with self:
            yield

    def asgi(self, app: Asgi) -> Asgi:
        """`app` with this worker in its lifespan, for frameworks that have none: `worker.asgi(get_asgi_application())`.

        What `app` itself would do with lifespan events is left out.
        """

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            else:
                await app(scope, receive, send)

        return wrapped

    # -- inside ----------------------------------------------------------------------------------------

    async def _live(self, receive: Any, send: Any) -> None:
        """The lifespan protocol of ASGI: a message comes in at either end, and one is sent when that is done."""
        await receive()
        try:
            await asyncio.to_thread(self.start)
        except Exception as exc:
            log.exception("The embedded worker could not start")
            await send({"type": "lifespan.startup.failed", "message": str(exc)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.to_thread(self.stop)
        await send({"type": "lifespan.shutdown.complete"})

    def _make_config(self) -> Config:
        directory = Path.cwd()
        if self._require:
            load_app((), self._require, directory)
        config = default.embedded_config()
        config.concurrency = self._concurrency
        if self._queues is not None:
            config.queues = self._queues
        if self._timeout_s is not None:
            config.timeout_s = self._timeout_s
        if self._configure is not None:
            self._configure(config)
        if not default.registry().names():
            raise BootError(NO_JOBS)
        install_features(config)
        config.tag = config.tag or default_tag(directory)
        config.freeze()
        return config

    def _notice_fork(self) -> None:
        """In a forked child: its threads and its sockets are the parent's. Another thread may have held the lock."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.RLock()
            self._life = None

    def _watch_forks(self) -> None:
        if not self._watches_forks:
            self._watches_forks = True
            method = weakref.WeakMethod(self._tell_of_fork)  # what is registered is never forgotten
            os.register_at_fork(after_in_parent=lambda: (tell := method()) and tell())

    def _tell_of_fork(self) -> None:
        """Once, and not if a job has forked: that one knows what it does."""
        by_a_job = threading.current_thread().name.startswith("pillion.")
        if self.running and not self._told_of_fork and not by_a_job:
            self._told_of_fork = True
            log.warning(FORKED)


class _Life:
    """One worker from its start to its end. Raises ConfigError for a Redis that cannot be."""

    def __init__(self, config: Config) -> None:
        self._config = config
        target = resolve_url(config.redis, os.environ, config.embedded_data_dir)
        self._runtime = make_runtime(config, target, new_nonce())
        self._launcher: Launcher | None = None
        self._ending = threading.Event()
        self._turn = threading.RLock()  # an end comes before the first fetch or after it, never amid
        self._waiting: threading.Thread | None = None
        self._begun = False

    @property
    def taking_jobs(self) -> bool:
        return self._begun and self._launcher is not None and not self._launcher.is_quiet

    def begin(self) -> None:
        """Take jobs, as soon as Redis can be reached."""
        if self._config.total_concurrency > CONCURRENCY:
            log.warning(CROWDED, self._config.total_concurrency)
        try:
            self._take_jobs()
        except RedisUnavailable as exc:
            log.warning("The embedded worker takes no jobs yet, and tries again: %s", exc)
            self._waiting = threading.Thread(target=self._wait_for_redis, name="pillion.embedded", daemon=True)
            self._waiting.start()
        except BaseException:
            self._take_down(time.monotonic())
            raise

    def quiet(self) -> None:
        with self._turn:
            self._ending.set()
            if self._launcher is not None and self._begun:
                self._launcher.quiet()

    def end(self, timeout_s: float | None) -> None:
        deadline_s = time.monotonic() + (self._config.timeout_s if timeout_s is None else timeout_s)
        with self._turn:
            self._ending.set()
        if self._waiting is not None:
            self._waiting.join(max(0.0, deadline_s - time.monotonic()))
            if self._waiting.is_alive():  # amid a start: it takes down what it has brought up, when it gets there
                log.info("The embedded worker stops as soon as its start lets it")
                return
        try:
            self._take_down(deadline_s)
        except Exception:
            log.exception("The embedded worker did not stop in order")
        else:
            log.info("The embedded worker has stopped")

    def _take_jobs(self) -> None:
        version = check_redis(self._runtime.storage)
        if self._launcher is None:
            self._launcher = assemble(self._runtime, on_signal=lambda _: None, embedded=True)
        self._launcher.prepare()
        with self._turn:
            if self._ending.is_set():
                return
            log_start(self._runtime, version)
            self._begun = True
            self._launcher.work()

    def _take_down(self, deadline_s: float) -> None:
        if self._launcher is not None:
            self._launcher.stop(deadline_s)
        self._runtime.storage.close()

    def _wait_for_redis(self) -> None:
        self._try_again()
        if not self._begun:
            self._take_down(time.monotonic())

    def _try_again(self) -> None:
        wait_s = 1.0
        while not self._begun and not self._ending.wait(wait_s):
            try:
                self._take_jobs()
            except RedisUnavailable:
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            except Exception as exc:  # noqa: BLE001 - there is nobody to tell but the error handlers
                self._runtime.reporter.report(exc, {"context": "The embedded worker could not start"})
                return
