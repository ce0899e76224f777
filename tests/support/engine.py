"""A worker process's engine inside the test process: real threads, real Redis, jobs that are closures."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from pillion.config import Config
from pillion.definition.registry import JobDefinition, Registry
from pillion.definition.run import JobRun
from pillion.server.caution import Caution
from pillion.server.manager import Manager
from pillion.server.reporter import Reporter
from pillion.server.runtime import Runtime
from pillion.storage.sync import Storage

WATCHDOG_S = 30.0


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait until `condition()` is true and return it. For states that nobody signals: those in Redis."""
    deadline = time.monotonic() + WATCHDOG_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"did not come true: {what or condition}"
        time.sleep(0.005)
    return result


class Engine:
    """One capsule at work, with the errors it reported."""

    def __init__(self, storage: Storage, identity: str = "host:1:abc", **options: Any) -> None:
        self.config = Config(**{"concurrency": 5, **options})
        self.reports: list[tuple[BaseException, dict[str, Any]]] = []
        self.reported = threading.Semaphore(0)
        self.config.error_handlers.append(self._report)
        self.registry = Registry()
        self.storage = storage
        self.identity = identity
        self.manager: Manager | None = None

    def _report(self, exc: BaseException, context: dict[str, Any], config: Config) -> None:
        self.reports.append((exc, context))
        self.reported.release()

    def job(self, name: str, perform: Callable[..., Any], **options: Any) -> None:
        """Register a job whose `perform` is this function."""

        class Run(JobRun):
            def perform(self, *args: Any) -> Any:
                return perform(*args)

        Run.__qualname__ = name
        definition = JobDefinition(name, Run)
        definition.is_async = options.pop("is_async", False)
        for hook in ("retry_in", "on_exhausted"):
            if hook in options:
                setattr(definition, hook, options.pop(hook))
        definition.declare(options)
        self.registry.register(definition)

    def start(self, capsule: str = "default", *, cautious: bool = False, caution: Caution | None = None) -> Engine:
        reporter = Reporter(self.config)
        runtime = Runtime(self.config, self.storage, self.identity, self.registry, None, reporter)  # type: ignore[arg-type]
        self.manager = Manager(runtime, self.config.capsule(capsule), caution)
        if cautious:
            self.manager.be_cautious()
        self.manager.start()
        return self

    def stop(self, within_s: float = 10.0) -> None:
        if self.manager is not None:
            self.manager.stop(time.monotonic() + within_s)

    def inflight(self, queue: str = "default") -> str:
        return f"{{queue:{queue}}}:inflight:{self.identity}"

    def waiting(self, queue: str = "default") -> str:
        return f"{{queue:{queue}}}:wait:{self.identity}"


def payload(name: str, *args: Any, **more: Any) -> bytes:
    """The bytes of a job as a client writes them."""
    job = {"retry": True, "queue": "default", "args": list(args), "class": name, "jid": "c9f6793beefe481e912ac3a7"}
    return json.dumps({**job, **more}, separators=(",", ":")).encode()
