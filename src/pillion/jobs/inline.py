"""Running a job here and now, as a worker would run it (behaviour.md 1.5).

The payload goes through JSON and back first, so that an argument that would not survive Redis is
found. There are no retries: what the job raises comes out.
"""

from __future__ import annotations

from typing import Any

from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.wire.codec import dumps, loads_job


class InlineContext:
    """The RunContext of a job that no worker process runs."""

    def __init__(self, queue: str) -> None:
        self.queue = queue

    def stopping(self) -> bool:
        """Never: no worker process is behind this run."""
        return False


class InlineRun:
    """One run of a payload inside the caller. `run` and `run_async` return False if middleware skipped it."""

    def __init__(self, payload: dict[str, Any], config: Config, registry: Registry) -> None:
        self._payload = loads_job(dumps(payload))
        self._queue: str = self._payload["queue"]
        self._chain = config.server_middleware
        self._definition = registry.find(self._payload["class"])
        self._job = self._definition.new(self._payload, InlineContext(self._queue))
        self._ran = False
        self.jid: str = self._payload["jid"]

    def run(self) -> bool:
        """Run a sync job, or an async one on an event loop of its own."""
        if self._definition.is_async:
            import asyncio

            refuse_running_loop(self._definition.wire_name)
            return asyncio.run(self.run_async())
        self._chain.invoke(self._job, self._payload, self._queue, self._body)
        return self._ran

    async def run_async(self) -> bool:
        """Await an async job; a sync one gets a thread, so that the loop goes on."""
        if not self._definition.is_async:
            import asyncio

            return await asyncio.to_thread(self.run)
        await self._chain.invoke_async(self._job, self._payload, self._queue, self._body)
        return self._ran

    def _body(self) -> Any:
        """Call `perform`; for an async job this makes the awaitable."""
        self._ran = True
        return self._job.perform(*self._payload["args"])


def refuse_running_loop(name: str) -> None:
    """Raise RuntimeError, saying what to write instead, if this thread is running an event loop."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        f"{name} is async and an event loop is running here: write `await ....perform_inline.aio(...)` instead."
    )
