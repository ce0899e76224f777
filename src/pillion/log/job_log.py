"""JobLog: the lines `start`, and `done` or `fail`, of each job (behaviour.md 13).

One that stops early and comes again has neither: `postponed` or `interrupted`, with what was behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Token
from typing import Any, Protocol, cast

from pillion.errors import Interrupted, Postponed
from pillion.log.facts import NOTHING, RUNNING, meta
from pillion.log.handler import Handler
from pillion.log.levels import JobLogger
from pillion.log.lines import RECORD_FACTS
from pillion.log.record import LineWriter

FILTERED = "[FILTERED]"


class JobLogOptions(Protocol):
    """The part of a Config that the job log reads."""

    @property
    def skip_default_job_logging(self) -> bool:
        """Whether to leave out start, done and fail."""
        ...

    @property
    def logged_job_attributes(self) -> tuple[str, ...]:
        """Payload keys that each line shows where present."""
        ...

    @property
    def log_arguments(self) -> bool:
        """Whether JSON lines show the arguments, filtered."""
        ...


class JobLog:
    """Logs `start`, and `done` or `fail`, for each job, at INFO (behaviour.md 13).

    `enabled` is worked out once: where it is False the caller skips `context`, `start`, `done` and
    `fail` altogether, which is all that a job pays then (`wants` also sees a job that asks for a level
    of its own). `enter` is for every job: it is one store.
    """

    __slots__ = ("_attributes", "_lines", "_log_arguments", "_logger", "_skip", "enabled")

    def __init__(self, logger: logging.Logger, config: JobLogOptions) -> None:
        self._logger = JobLogger(logger)
        self._lines = LineWriter(logger, RECORD_FACTS)
        self._skip = config.skip_default_job_logging
        self._attributes = config.logged_job_attributes
        self._log_arguments = config.log_arguments
        self.enabled: bool = not self._skip and logger.isEnabledFor(logging.INFO)

    def wants(self, payload: Mapping[str, Any]) -> bool:
        """Whether `start`, `done` and `fail` would write something for this job."""
        return self.enabled or ("log_level" in payload and not self._skip)

    def enter(self, payload: Mapping[str, Any]) -> Token[Any]:
        """Say that this thread or task now runs `payload`: its log lines carry the job's facts."""
        return RUNNING.set((self, payload, NOTHING))

    def leave(self, token: Token[Any]) -> None:
        """Undo `enter`."""
        RUNNING.reset(token)

    def context(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The facts of a job: class (the wrapped one if there is one), jid, the configured attributes, queue, args."""
        facts = self.labels(payload)
        facts["queue"] = payload.get("queue")
        if self._log_arguments:
            facts["args"] = loggable_arguments(payload.get("args") or (), payload.get("loggable_arguments") or ())
        return facts

    def labels(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the facts that a text line shows: all but queue and args."""
        facts: dict[str, Any] = {"class": payload.get("wrapped") or payload.get("class"), "jid": payload.get("jid")}
        for name in self._attributes:
            value = payload.get(name)
            if value is not None and value != []:
                facts[name] = value
        facts.update(meta(payload))
        return facts

    def start(self, ctx: Mapping[str, Any]) -> bool:
        """Log that a job begins. Returns whether who reads it gets to see the processor time at its end."""
        if not self._logger.isEnabledFor(logging.INFO):
            return True
        handler = self._wrote("start", ctx)
        if handler is None:
            self._lines.write("start", ctx)
            return True
        return handler.shows_cpu

    def done(self, ctx: Mapping[str, Any], elapsed_s: float, cpu_s: float | None) -> None:
        """Log that a job ended well, after `elapsed_s` seconds of which `cpu_s` on the processor (None: unknown)."""
        if self._logger.isEnabledFor(logging.INFO):
            facts = _timed(ctx, elapsed_s, cpu_s)
            if self._wrote("done", facts) is None:
                self._lines.write("done", facts)

    def fail(self, ctx: Mapping[str, Any], elapsed_s: float, cpu_s: float | None) -> None:
        """Log that a job raised, after `elapsed_s` seconds of which `cpu_s` on the processor (None: unknown)."""
        if self._logger.isEnabledFor(logging.INFO):
            facts = _timed(ctx, elapsed_s, cpu_s)
            if self._wrote("fail", facts) is None:
                self._lines.write("fail", facts)

    def put_off(self, ctx: Mapping[str, Any], elapsed_s: float, cpu_s: float | None, wish: Interrupted) -> None:
        """Log that a job stopped early, by its own `wish`, and comes again: no failure.

        The line is `postponed`, with the seconds until then, or `interrupted`: it is back in its queue.
        """
        if self._logger.isEnabledFor(logging.INFO):
            message, facts = "interrupted", _timed(ctx, elapsed_s, cpu_s)
            if isinstance(wish, Postponed):
                message, facts["again_in_s"] = "postponed", round(wish.delay_s, 3)
            facts["why"] = str(wish) or "it goes back to its queue"
            if self._wrote(message, facts) is None:
                self._lines.write(message, facts)

    def _wrote(self, message: str, facts: Mapping[str, Any]) -> Handler | None:
        """Write the line at once, if our handler is all that would see a record of it; else leave it to logging."""
        handler = self._lines.only_handler()
        return handler if type(handler) is Handler and handler.wrote(message, facts) else None


def _timed(ctx: Mapping[str, Any], elapsed_s: float, cpu_s: float | None) -> dict[str, Any]:
    if cpu_s is None:
        return {**ctx, "elapsed": round(elapsed_s, 3)}
    return {**ctx, "elapsed": round(elapsed_s, 3), "cpu_s": round(cpu_s, 6)}


def loggable_arguments(args: Sequence[Any], open_indexes: Iterable[int] = ()) -> list[Any]:
    """`args` as they may be logged: numbers, and the positions named (from 0); the rest is hidden.

    Arguments hold mail addresses and tokens more often than one thinks, and a log is read by many.
    A job opens positions with the option `loggable_arguments=(1, 3)`. Any program may have written the payload: an
    option that is no list of numbers opens nothing, and arguments that are no list are not shown.
    """
    if not isinstance(cast("object", args), list | tuple):
        return []
    allowed = _opened(open_indexes) if open_indexes else None
    if not allowed:
        return [arg if type(arg) in _NUMBERS or _is_number(arg) else FILTERED for arg in args]
    return [arg if index in allowed or _is_number(arg) else FILTERED for index, arg in enumerate(args)]


def _opened(indexes: object) -> frozenset[int]:
    if not isinstance(indexes, list | tuple):
        return frozenset()
    return frozenset(each for each in cast("Sequence[object]", indexes) if type(each) is int)


_NUMBERS = (int, float)  # a tuple: four times as fast to ask as `int | float`, and each argument is asked about


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)
