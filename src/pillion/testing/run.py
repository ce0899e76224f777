"""Runner: one run of a payload in a test, as a worker would run it, with the middleware of the test.

The middleware of production is not there unless the test adds it (F127), and errors come out as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pillion.config import Config
from pillion.definition.registry import JobDefinition, Registry
from pillion.jobs.inline import InlineContext
from pillion.log import JobLog
from pillion.middleware import ServerChain
from pillion.wire.codec import loads_job


class Runner:
    """Runs payloads, given as the bytes that Redis would have."""

    def __init__(self, registry: Registry, chain: ServerChain, config: Config) -> None:
        self._registry = registry
        self._chain = chain
        self._log = JobLog(logging.getLogger("pillion"), config)

    def run(self, raw: bytes) -> None:
        """Run a sync job, or an async one on an event loop of its own. Raises what the job raises."""
        run = _Run(raw, self._registry)
        if run.definition.is_async:
            import asyncio

            refuse_running_loop(run.definition.wire_name)
            asyncio.run(self._await(run))
        else:
            self._call(run)

    async def run_async(self, raw: bytes) -> None:
        """Await an async job; a sync one gets a thread, so that the loop goes on. Raises what the job raises."""
        run = _Run(raw, self._registry)
        if run.definition.is_async:
            await self._await(run)
        else:
            import asyncio

            await asyncio.to_thread(self._call, run)

    def _call(self, run: _Run) -> None:
        with self._facts_of(run):
            self._chain.invoke(run.job, run.payload, run.queue, run.body)

    async def _await(self, run: _Run) -> None:
        with self._facts_of(run):
            await self._chain.invoke_async(run.job, run.payload, run.queue, run.body)

    @contextmanager
    def _facts_of(self, run: _Run) -> Generator[None]:
        """Log lines, and the jobs it pushes, carry the context of this job, and not that of the test."""
        token = self._log.enter(run.payload)
        try:
            yield
        finally:
            self._log.leave(token)


class _Run:
    """One run: a new object of the job each time, as in a worker."""

    def __init__(self, raw: bytes, registry: Registry) -> None:
        self.payload: dict[str, Any] = loads_job(raw)
        self.queue = str(self.payload.get("queue") or "default")
        self.definition: JobDefinition = registry.find(self.payload["class"])
        self.job = self.definition.new(self.payload, InlineContext(self.queue))

    def body(self) -> Any:
        """Call `perform`; for an async job this makes the awaitable."""
        return self.job.perform(*self.payload.get("args") or ())


def refuse_running_loop(name: str) -> None:
    """Raise RuntimeError, saying what to write instead, if this thread is running an event loop."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        f"{name} is async and an event loop is running here, so this call would block the loop it needs. "
        "Every call has an awaitable form: `await ....aio(...)`, for instance "
        "`await J.perform_async.aio(...)`, `await J.drain.aio()`."
    )
