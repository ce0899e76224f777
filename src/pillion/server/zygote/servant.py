"""Servant: a child. It runs one job after the other, each in its main thread, until its line is closed."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import faulthandler
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any

from pillion import default, log
from pillion.config import Config
from pillion.definition.registry import JobDefinition
from pillion.definition.time_limit import timeout_s
from pillion.errors import ChildError
from pillion.log import JobLog
from pillion.middleware import ServerChain
from pillion.server.isolation import carried
from pillion.server.isolation.frames import Frame, Kind, Line, encode
from pillion.server.isolation.order import Boot, Order
from pillion.server.lifecycle import Lifecycle
from pillion.server.reporter import Reporter
from pillion.server.spawn import leave
from pillion.server.time_limit import within
from pillion.server.zygote import kin
from pillion.server.zygote.application import load, why_not
from pillion.server.zygote.interruption import Interruption
from pillion.server.zygote.relay import Relay, install

_logger = logging.getLogger("pillion")


class Servant:
    """Runs what comes over `line`. Main thread only, but for `stopping`, which a job may ask from any."""

    def __init__(self, line: Line, config: Config, *, measures: bool) -> None:
        self._line = line
        self._config = config
        self._measures = measures
        self._lock = threading.RLock()
        self._interruption = Interruption(self._was_told)
        self._relay = Relay(lambda packed: self._say(Kind.LOG, packed), list(logging.getLogger().handlers))
        self._job_log = JobLog(_logger, config)
        self._lifecycle = Lifecycle(config, Reporter(config))
        self._stopping = False
        self._hurried = False

    def serve(self) -> int:
        """Set up, run jobs until the worker closes the line, take down. Returns the exit code."""
        self._interruption.trap()
        install(self._relay)
        try:
            self._lifecycle.fire("child_start")
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever it is, the worker is told
            self._say(Kind.UNFIT, f"a child_start hook failed: {why_not(exc)}".encode("utf-8", "replace"))
            return 1
        self._say(Kind.READY)
        while frames := self._line.wait():
            for frame in frames:
                if frame.kind == Kind.RUN:
                    self._answer(frame)
        self._lifecycle.fire("child_exit")
        return 0

    # -- one job -----------------------------------------------------------------------------------

    def _answer(self, frame: Frame) -> None:
        self._stopping = self._hurried = False
        self._say(Kind.BEGUN)
        try:
            order = Order.read(frame.body)
            contextvars.copy_context().run(self._run, order)
        except BaseException as exc:  # noqa: BLE001 - a job may raise anything
            kind, body = Kind.FAILED, _packed(exc)
        else:
            kind, body = Kind.DONE, str(kin.rss_bytes()).encode() if self._measures else b""
        flush()
        self._say(kind, body)

    def _run(self, order: Order) -> None:
        self._job_log.enter(order.payload)
        if dict(log.carried()) != order.meta:
            log.carry(order.meta)
        definition = default.registry().find(order.name)
        self._relay.begin()
        try:
            with self._interruption.allowed():
                job = definition.new(order.payload, Context(self, order.queue))
                self._chain(order.queue).invoke(
                    job, order.payload, order.queue, lambda: self._perform(job, definition, order.payload)
                )
        finally:
            self._relay.end()

    def _perform(self, job: Any, definition: JobDefinition, payload: Mapping[str, Any]) -> None:
        result = job.perform(*payload.get("args") or ())
        if result is None or not hasattr(result, "__await__"):
            return
        limit_s = timeout_s(definition, payload) if definition.is_async else None
        asyncio.run(_as_coroutine(result) if limit_s is None else within(result, limit_s, definition.wire_name))

    def _chain(self, queue: str) -> ServerChain:
        """Those of the server middleware that ask to run in the child as well: what they set is seen by the job."""
        chain = self._config.server_middleware
        for capsule in self._config.capsules.values():
            if capsule.server_middleware is not None and any(each.name == queue for each in capsule.queues):
                chain = capsule.server_middleware
        here = chain.copy()
        for entry in chain.entries:
            if not getattr(entry.factory, "runs_in_child", False):
                here.remove(entry.factory)
        return here

    # -- what the worker says meanwhile ------------------------------------------------------------

    def stopping(self) -> bool:
        """Whether the worker is quiet or stopping."""
        if not self._stopping:
            with self._interruption.held_back(), self._lock:
                kinds = {frame.kind for frame in self._line.receive()}
                self._hurried = self._hurried or Kind.INTERRUPT in kinds
                self._stopping = bool(kinds & {Kind.STOPPING, Kind.INTERRUPT}) or self._line.ended
        return self._stopping

    def _was_told(self) -> bool:
        """Whether the worker wants the job to end. Called by a signal handler, so nothing is taken off the line."""
        return self._hurried or encode(Kind.INTERRUPT) in self._line.peek()

    def _say(self, kind: Kind, body: bytes = b"") -> None:
        with self._interruption.held_back(), self._lock:
            self._line.send(kind, body)


class Context:
    """The RunContext of a job in a child."""

    def __init__(self, servant: Servant, queue: str) -> None:
        self._servant = servant
        self.queue = queue

    def stopping(self) -> bool:
        """Whether the worker is quiet or stopping."""
        return self._servant.stopping()


async def _as_coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _packed(exc: BaseException) -> bytes:
    exc.__traceback__ = _from_the_job(exc.__traceback__)
    try:
        return carried.pack(exc)
    except Exception:  # noqa: BLE001 - an error that cannot even be looked at is an error all the same
        return carried.pack(ChildError(f"the job raised a {type(exc).__qualname__} that could not be sent"))


def _from_the_job(stack: TracebackType | None) -> TracebackType | None:
    """A traceback without its beginning, which is ours: the worker's own comes before it."""
    start = step = stack
    while step is not None:
        if step.tb_frame.f_code.co_filename == __file__ and step.tb_next is not None:
            start = step.tb_next
        step = step.tb_next
    return start


def flush() -> None:
    """Write out what has been printed: a kill would lose it, a fork would print it twice."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


# -- how a child begins ------------------------------------------------------------------------------


def be_child(line: Line, config: Config, parent_pid: int, *, measures: bool) -> None:
    """Be a child of the zygote `parent_pid` from here on. Does not return."""
    code = 1
    try:
        kin.die_with(parent_pid)
        kin.be_first_to_go()
        kin.pass_signals_over()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with contextlib.suppress(Exception):
            faulthandler.enable()  # the stack of a segmentation fault goes to standard error
        code = Servant(line, config, measures=measures).serve()
    except BaseException:  # it must not unwind into the zygote's code
        _logger.exception("A child process failed outside of a job")
    finally:
        leave(code)


def be_alone(line_fd: int, boot_fd: int, parent_pid: int) -> None:
    """Be a child that has loaded the app itself, because its zygote has threads. Does not return."""
    kin.die_with(parent_pid)
    kin.pass_signals_over()  # also while the app is loaded
    os.set_inheritable(line_fd, False)
    line = Line.of(line_fd)
    source = Line.of(boot_fd)
    boot = Boot.unpack(source.wait()[0].body)
    source.close()
    try:
        config = load(boot)
    except BaseException as exc:  # noqa: BLE001 - whatever it is, the worker is told
        line.send(Kind.UNFIT, why_not(exc).encode("utf-8", "replace"))
        os._exit(1)
    be_child(line, config, parent_pid, measures=boot.measures)
