"""Door: what a worker has of all this until the first job that needs it. Nothing is imported or started before."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pillion.config import Config
from pillion.definition.registry import JobDefinition, Registry
from pillion.errors import ChildNotStarted, Shutdown
from pillion.server.isolation.app import App

if TYPE_CHECKING:
    from pillion.server.isolation.child import Watch
    from pillion.server.isolation.pool import Pool

MEGABYTE = 1 << 20


class Isolation:
    """Runs jobs in child processes. A Service, of which all capsules of a worker share one.

    Parameters: `app` is what the worker has loaded; None: the modules of the jobs in `registry`.
    """

    def __init__(self, config: Config, registry: Registry, app: App | None = None) -> None:
        self._config = config
        self._registry = registry
        self._app = app
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._closed = False

    def run(self, definition: JobDefinition, payload: Mapping[str, Any], slot: Watch) -> None:
        """Call `perform` of a job in a child, with the arguments in `payload`, and wait for its end in this thread.

        Raises what the job raises, `ChildError`, and Shutdown if `slot` is interrupted.
        """
        from pillion.server.isolation.order import Errand

        if definition.factory.__module__ == "__main__":
            raise ChildNotStarted(
                f"{definition.wire_name} is defined in the script that is being run. A child process has to import it: "
                "put it into a module."
            )
        pool = self._pool or self._open()
        pool.run(Errand.of(definition, payload, slot.queue or ""), slot)

    # -- a Service ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Children are started when they are needed."""

    def quiet(self) -> None:
        """Tell jobs that run that this process is stopping."""
        if self._pool is not None:
            self._pool.quiet()

    def stop(self, deadline_s: float) -> None:
        """End all children, at `deadline_s` (monotonic) at the latest."""
        with self._lock:
            pool, self._closed = self._pool, True
        if pool is not None:
            pool.close(deadline_s)

    # -- inside ------------------------------------------------------------------------------------

    def _open(self) -> Pool:
        from pillion.server.isolation.order import Boot
        from pillion.server.isolation.pool import Limits, Pool

        with self._lock:
            if self._closed:
                raise Shutdown
            if self._pool is None:
                config, app = self._config, self._app or self._modules()
                rss_mb = config.max_rss_mb_per_child
                limits = Limits(
                    config.child_processes or processors(),
                    config.max_jobs_per_child,
                    None if rss_mb is None else rss_mb * MEGABYTE,
                )
                self._pool = Pool(limits, lambda: Boot.of(config, app).pack())
            return self._pool

    def _modules(self) -> App:
        modules = {self._registry.find(name).factory.__module__ for name in self._registry.names()}
        return App(targets=sorted(modules - {"__main__"}))


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
