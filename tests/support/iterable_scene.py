"""A worker's engine in the test process, and job classes that push to its Redis: for iterable jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self

from engine import Engine, until

from pillion import IterableJob, Job
from pillion.client import AsyncClient, Client
from pillion.config import Config, RedisConfig
from pillion.definition.registry import Registry
from pillion.storage.connect import open_async_storage
from pillion.storage.sync import Storage


class SceneHome:
    """Where the jobs of a scene are pushed to."""

    def __init__(self, storage: Storage, redis_url: str, **options: Any) -> None:
        self._config = Config(redis=RedisConfig(url=redis_url), **options)
        self._registry = Registry()
        self._client = Client(storage, self._config)
        self._async_client = AsyncClient(open_async_storage(self._config), self._config)

    def registry(self) -> Registry:
        return self._registry

    def config(self) -> Config:
        return self._config

    def client(self) -> Client:
        return self._client

    def async_client(self) -> AsyncClient:
        return self._async_client


class IterableScene:
    """`scene.Iterable` and `scene.Plain` are bases for jobs; workers are started one after the other.

    What jobs write with `scene.note` is in `scene.notes`. `scene.start()` is a worker with one thread,
    `scene.stop()` its shutdown.
    """

    def __init__(self, storage: Storage, redis_url: str, **options: Any) -> None:
        self.storage = storage
        self.home = home = SceneHome(storage, redis_url, **options)
        self.notes: list[Any] = []
        self.engine: Engine | None = None
        self._workers = 0

        class Iterable(IterableJob, abstract=True, home=home):
            pass

        class Plain(Job, abstract=True, home=home):
            pass

        self.Iterable = Iterable
        self.Plain = Plain

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def note(self, *words: Any) -> None:
        self.notes.append(words[0] if len(words) == 1 else words)

    def start(self, **options: Any) -> Engine:
        """Start another worker process, as it were."""
        self._workers += 1
        engine = Engine(self.storage, f"host:{self._workers}:abc", **{"concurrency": 1, **options})
        engine.registry = self.home.registry()
        self.engine = engine.start()
        return engine

    def quiet(self) -> None:
        """The worker takes nothing more, and iterable jobs stop before their next item."""
        assert self.engine is not None
        assert self.engine.manager is not None
        self.engine.manager.quiet()

    def stop(self, within_s: float = 10.0) -> None:
        """The worker ends."""
        if self.engine is not None:
            self.engine.stop(within_s)

    def is_done(self) -> bool:
        """Whether nothing waits, runs, or is to be tried again."""
        assert self.engine is not None
        with self.storage.connection() as raw:
            places = ("queue:default", self.engine.inflight(), self.engine.waiting(), "retry", "schedule")
            return not raw.exists(*places)  # one command, so that a job on its way is seen

    def run_to_end(self, job: Any, *args: Any) -> str:
        """Push a job and run it with one worker until nothing is left to do; returns the jid. Fails on errors."""
        jid = job.perform_async(*args)
        engine = self.start()
        until(lambda: self.is_done() or engine.reports, "the end of the job")
        self.stop()
        assert not engine.reports, engine.reports
        return str(jid)


class Gate:
    """A place in a job where it waits for the test, and the test for it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        """In the job: wait until the test opens it."""
        self.reached.set()
        assert self._open.wait(30)

    def meet(self, meanwhile: Callable[[], Any] = lambda: None) -> None:
        """In the test: wait for the job, do something, and let it go on."""
        assert self.reached.wait(30)
        meanwhile()
        self._open.set()
