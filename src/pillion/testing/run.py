"""Runner: one run of a payload in a test, as a worker would run it, with the middleware of the test.

The middleware of production is not there unless the test adds it (F127), and errors come out as they are.
"""

from __future__ import annotations

from typing import Any

from pillion.definition.registry import JobDefinition, Registry
from pillion.jobs.inline import InlineContext
from pillion.middleware import ServerChain
from pillion.wire.codec import loads_job


class Runner:
    """Runs payloads, given as the bytes that Redis would have."""

    def __init__(self, registry: Registry, chain: ServerChain) -> None:
        self._registry = registry
        self._chain = chain

    def run(self, raw: bytes) -> None:
        """Run a sync job, or an async one on an event loop of its own. Raises what the job raises."""
        run = _Run(raw, self._registry)
        if run.definition.is_async:
            import asyncio

            refuse_running_loop(run.definition.wire_name)
            asyncio.run(self._run_async(run))
        else:
            self._chain.invoke(run.job, run.payload, run.queue, run.body)

    async def run_async(self, raw: bytes) -> None:
        """Await an async job; a sync one gets a thread, so that the loop goes on. Raises what the job raises."""
        run = _Run(raw, self._registry)
        if run.definition.is_async:
            await self._run_async(run)
        else:
            import asyncio

            await asyncio.to_thread(self._chain.invoke, run.job, run.payload, run.queue, run.body)

    async def _run_async(self, run: _Run) -> None:
        await self._chain.invoke_async(run.job, run.payload, run.queue, run.body)


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
