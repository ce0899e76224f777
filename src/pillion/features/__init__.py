"""Features: what can be taken out of a worker without it ceasing to be one.

A feature is a module with `install(config)`, named in `config.features`. It hangs itself into the Config
(middleware, lifecycle hooks, observers, services, effects) when a worker boots. The server imports no
feature, and a feature nothing of the server: what the two know of each other is here and on the Config.
docs/design/features.md tells how to write one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pillion.config import Config
from pillion.storage.sync import Storage


class Service(Protocol):
    """Something that runs beside the jobs. Each call may come twice, and `stop` before `start`."""

    def start(self) -> None:
        """The process begins to take jobs."""
        ...

    def quiet(self) -> None:
        """The process takes no further jobs; those that run go on."""
        ...

    def stop(self, deadline_s: float) -> None:
        """The last job has ended: stop, and return at `deadline_s` (a `time.monotonic()` instant) at the latest."""
        ...


class Reporter(Protocol):
    """Where errors go that nobody handles."""

    def report(self, exc: BaseException, context: Mapping[str, object]) -> None:
        """Tell the error handlers of `exc`. `context["context"]` says in words where it happened."""
        ...


class Host(Protocol):
    """The worker process, as a feature's service sees it."""

    @property
    def config(self) -> Config:
        """Its settings, frozen."""
        ...

    @property
    def storage(self) -> Storage:
        """Its Redis."""
        ...

    @property
    def identity(self) -> str:
        """Its name among the processes."""
        ...

    @property
    def reporter(self) -> Reporter:
        """Where its errors go."""
        ...

    def periodic(self, name: str, tick: Callable[[], float], *, error_wait_s: float = ...) -> Service:
        """A thread that calls `tick` again and again; `tick` returns the seconds until its next call."""
        ...
