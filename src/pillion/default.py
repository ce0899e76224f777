"""The process-wide default: one config, one client, one registry, and the `Job` and `job` bound to them.

This is the only global state there is. The core never imports it; only the edges do (the package root,
the command line, the worker's boot, framework integrations). Nothing is opened before the first push.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from pillion.client import AsyncClient, Client
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.jobs.base import BaseJob, JobDecorator

Block = Callable[[Config], Any]
B = TypeVar("B", bound=Block)


class StandIns(Protocol):
    """Makes the clients that jobs are pushed with instead of the real ones: see `pillion.testing`."""

    def client(self, config: Config) -> Client:
        """A client for threads."""
        ...

    def async_client(self, config: Config) -> AsyncClient:
        """A client for asyncio."""
        ...


class Default:
    """The Home of the jobs of this process. Safe to use from many threads, and in a child after a fork."""

    _real: Client | None
    _real_async: AsyncClient | None
    _client: Client | None  # in use: the real one, or what stands in for it
    _async_client: AsyncClient | None

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._registry = Registry()
        self._abandoned: list[object] = []
        self._stand_ins: StandIns | None = None
        self._forget()

    def _forget(self) -> None:
        self._config: Config | None = None
        self._is_server = False
        self._take(None)
        self._server_blocks: list[Block] = []
        self._client_blocks: list[Block] = []

    # -- what jobs need (Home) -------------------------------------------------------------------

    def registry(self) -> Registry:
        """The jobs defined in this process."""
        return self._registry

    def config(self) -> Config:
        """The settings: those of `install`, else what `pillion run` would read (environment, pillion.toml)."""
        config = self._config
        return config if config is not None else self._make_config()

    def client(self) -> Client:
        """The client for threads, opened at first use."""
        client = self._client
        return client if client is not None else self._open()

    def async_client(self) -> AsyncClient:
        """The client for asyncio, opened at first use; one serves all event loops."""
        client = self._async_client
        return client if client is not None else self._open_async()

    # -- what the application and the worker do --------------------------------------------------

    def configure_server(self, block: B) -> B:
        """Keep `block(config)` for the boot of a worker; a process that only pushes never calls it."""
        with self._lock:
            self._server_blocks.append(block)
            config = self._config if self._is_server else None
        if config is not None:
            block(config)
        return block

    def configure_client(self, block: B) -> B:
        """Call `block(config)` in every process that is not a worker, before the first push."""
        with self._lock:
            self._client_blocks.append(block)
            config = None if self._is_server else self._config
        if config is not None:
            block(config)
        return block

    def run_server_blocks(self, config: Config) -> None:
        """A worker boots: `config` is now the settings of this process, and the server blocks are called with it."""
        with self._lock:
            self._is_server = True
            self._use(config, None)
            blocks = list(self._server_blocks)
        for block in blocks:
            block(config)

    def embedded_config(self) -> Config:
        """Settings for a worker inside of this process: a copy, with the server blocks called for it.

        What this process itself pushes is left as it is.
        """
        config = self.config().copy()
        with self._lock:
            blocks = list(self._server_blocks)
        for block in blocks:
            block(config)
        return _bound(config)

    def install(self, config: Config, client: Client | None = None) -> None:
        """Use these settings, and this client unless None, from now on. Client blocks are not called for them."""
        with self._lock:
            self._use(config, client)

    def reset(self) -> None:
        """Forget settings, clients and blocks, and close what was opened. Jobs stay registered. For tests."""
        with self._lock:
            opened = self._real
            self._forget()
        close = getattr(opened.storage, "close", None) if opened is not None else None
        if close is not None:
            close()

    # -- what testing does -------------------------------------------------------------------------

    @property
    def stand_ins(self) -> StandIns | None:
        """Who makes the clients, if those are not real."""
        return self._stand_ins

    def stand_in(self, stand_ins: StandIns | None) -> None:
        """From now on clients are made by `stand_ins`; None: the real ones are used again, as they were.

        It outlives `install` and `reset`: what must not reach Redis does not, whatever a test sets up.
        """
        with self._lock:
            self._stand_ins = stand_ins
            self._client = self._async_client = None

    def real_client(self) -> Client:
        """The client that talks to Redis, opened at first use, whoever stands in for it."""
        with self._lock:
            if self._real is None:
                from pillion.storage.connect import open_storage

                config = self.config()
                self._real = Client(open_storage(config), config)
            return self._real

    def real_async_client(self) -> AsyncClient:
        """As `real_client`, for asyncio."""
        with self._lock:
            if self._real_async is None:
                from pillion.storage.connect import open_async_storage

                config = self.config()
                self._real_async = AsyncClient(open_async_storage(config), config)
            return self._real_async

    # -- inside ----------------------------------------------------------------------------------

    def _use(self, config: Config, client: Client | None) -> None:
        if config is not self._config or client is not None:
            self._take(client)
        self._config = _bound(config)

    def _take(self, client: Client | None) -> None:
        """What talks to Redis is now `client`, or else what is opened when it is needed."""
        self._real = client
        self._client = self._real_async = self._async_client = None

    def _make_config(self) -> Config:
        with self._lock:
            if self._config is None:
                from pillion.settings.sources import load_config

                config = _bound(load_config({}).config)
                for block in self._client_blocks:
                    block(config)
                self._config = config
            return self._config

    def _open(self) -> Client:
        with self._lock:
            if self._client is None:
                stand_ins = self._stand_ins
                self._client = self.real_client() if stand_ins is None else stand_ins.client(self.config())
            return self._client

    def _open_async(self) -> AsyncClient:
        with self._lock:
            if self._async_client is None:
                stand_ins = self._stand_ins
                made = self.real_async_client() if stand_ins is None else stand_ins.async_client(self.config())
                self._async_client = made
            return self._async_client

    def after_fork(self) -> None:
        """In a forked child: open everything anew. The parent's sockets are kept, unused, lest closing them
        here says goodbye on the parent's behalf."""
        self._abandoned.append((self._real, self._real_async))
        self._lock = threading.RLock()
        self._take(None)


def _bound(config: Config) -> Config:
    """Tell the middleware whose it is: classes with a `config` attribute are given it (behaviour.md 3)."""
    chains = (config.client_middleware, config.server_middleware)
    for chain in (*chains, *(capsule.server_middleware for capsule in config.capsules.values())):
        if chain is not None:
            chain.bind(config)
    return config


_default = Default()
os.register_at_fork(after_in_child=_default.after_fork)

config = _default.config
client = _default.client
async_client = _default.async_client
registry = _default.registry
configure_server = _default.configure_server
configure_client = _default.configure_client
run_server_blocks = _default.run_server_blocks
embedded_config = _default.embedded_config
install = _default.install
reset = _default.reset

job = JobDecorator(_default)


class Job(BaseJob, abstract=True, home=_default):
    """The base class of your jobs: options are class keywords, the work is in `perform`.

    class CompleteOrder(Job, queue="high", retry=5):
        def perform(self, order_id: int) -> None: ...

    CompleteOrder.perform_async(42)
    """


Worker = Job


class Pressure:
    """`pillion.pressure("default")`: how near a queue is to its limit, from 0.0 (empty) to 1.0 (full).

    It asks Redis at each call; a queue without a limit has 0.0. Raises RedisError.
    """

    def __call__(self, queue: str = "default") -> float:
        """Ask, from a thread."""
        return client().pressure(queue)

    async def aio(self, queue: str = "default") -> float:
        """Ask, from an event loop."""
        return await async_client().pressure(queue)


pressure = Pressure()


@contextmanager
def redis() -> Generator[Any]:
    """A redis-py connection of the pool that pushes use, for your own commands (replies are bytes).

    with pillion.redis() as conn:
        conn.incr("visits")
    """
    runner = client().storage
    with runner.connection() as connection:
        yield connection
