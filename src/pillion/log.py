"""Logging: Sidekiq's line, a JSON line, and the facts of the running job on every record.

Everything here works with the standard `logging` module. Nothing happens on import: only `setup`,
which the `pillion` command calls, installs a handler. An application with its own logging set-up
uses `TextFormatter` or `JsonFormatter` in it and gets the same lines.

Where the facts come from. Three places are put together while a record is formatted, later ones win:

1. the job this thread (or task) is running: `JobLog.enter` keeps the payload in a context variable,
   and only a record that is really written pays for reading `class`, `jid` and so on out of it;
2. what `with_context(order=42)` added around the code that logs;
3. what the record itself carries (`elapsed` on the lines "done" and "fail").

So a line logged by the job's own code, or by a library it calls, names its job (behaviour.md 13).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, Protocol, TextIO

from pillion.errors import ConfigError
from pillion.log_record import LineWriter

LogFormat = Literal["text", "json"]
LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "debug": logging.DEBUG,
        "info": logging.INFO,
        "warn": logging.WARNING,
        "warning": logging.WARNING,
        "error": logging.ERROR,
        "fatal": logging.CRITICAL,
        "critical": logging.CRITICAL,
    }
)
FILTERED = "[FILTERED]"
JOB_LOGGER = "pillion.job"  # what a job has as `self.logger`

_NAMES = {logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARN", logging.ERROR: "ERROR"}
_COLOURS = {"DEBUG": "1;32", "INFO": "1;34", "WARN": "1;33", "ERROR": "1;31", "FATAL": "1;35"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Sidekiq's line has no room for these; the JSON line has.
_JSON_ONLY = frozenset({"queue", "args", "cpu_s"})
_RECORD_FACTS = "pillion"  # the attribute of a record that holds its own facts
META = "meta."  # how the facts that travel with jobs begin, in payloads and in lines: see pillion.ambient

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_context: ContextVar[Mapping[str, Any]] = ContextVar("pillion_log_context", default=_NOTHING)
# The running job: its log, its payload, and what `add_context` has added.
_job: ContextVar[tuple[JobLog, Mapping[str, Any], Mapping[str, Any]] | None] = ContextVar(
    "pillion_log_job", default=None
)
# What `ambient.context` has set: the payload of the job it was set in (None: in none), and all facts that hold.
_carried: ContextVar[tuple[Mapping[str, Any] | None, Mapping[str, Any]] | None] = ContextVar(
    "pillion_log_carried", default=None
)


# -- context ---------------------------------------------------------------------------------------


@contextmanager
def with_context(**facts: Any) -> Generator[None]:
    """Add `facts` to every line logged inside the block, by this thread or task.

    The context before the block comes back at its end, also after an exception.
    """
    token = _context.set({**_context.get(), **facts})
    try:
        yield
    finally:
        _context.reset(token)


def add_context(**facts: Any) -> None:
    """Add `facts` from here to the end of the running job; without one, of the surrounding `with_context`."""
    running = _job.get()
    if running is None:
        _context.set({**_context.get(), **facts})
    else:
        job_log, payload, added = running
        _job.set((job_log, payload, {**added, **facts}))


def adopt(ended: Context) -> None:
    """Take over what `add_context` has added in a copied context that has `ended`, for the job's further lines."""
    running = ended.get(_job)
    if running is not None:
        _job.set(running)


def context() -> dict[str, Any]:
    """What a line logged here and now would carry: the running job's facts, then the added ones."""
    running = _job.get()
    if running is None:
        return {**carried(), **_context.get()}
    job_log, payload, added = running
    return {**_as_carried(job_log.context(payload), payload), **added, **_context.get()}


def running_payload() -> Mapping[str, Any] | None:
    """The payload of the job that this thread (or task) runs in a worker; None outside of one."""
    running = _job.get()
    return running[1] if running else None


def carried() -> Mapping[str, Any]:
    """The facts that a job pushed here takes along: those set around this code, else those the running job brought.

    They are looked up when asked for, so a job that nobody gave any costs nothing. What was set inside of one
    job is not seen by the next, whatever that job left behind.
    """
    own, payload = _carried.get(), running_payload()
    if own is not None and own[0] is payload:
        return own[1]
    return _NOTHING if payload is None else _meta(payload)


def carry(facts: Mapping[str, Any]) -> Token[Any]:
    """From here on, in this thread or task, `carried` answers `facts`."""
    return _carried.set((running_payload(), facts))


@contextmanager
def carrying(facts: Mapping[str, Any]) -> Generator[None]:
    """Inside the block `carried` answers `facts`, whose keys begin with META."""
    token = carry(facts)
    try:
        yield
    finally:
        _carried.reset(token)


def _meta(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    if META not in " ".join(payload):  # asked for each line: three times as fast as looking at each key
        return _NOTHING
    return {key: value for key, value in payload.items() if key.startswith(META)}


def _as_carried(facts: dict[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a job with those that travel as they hold here, not as the job came with them."""
    own = _carried.get()
    if own is None or own[0] is not payload:
        return facts
    return {**{key: value for key, value in facts.items() if not key.startswith(META)}, **own[1]}


def tid() -> str:
    """A short name for the running thread, unique on this machine: the kernel's thread id in base 36."""
    return _base36(threading.get_native_id())


@lru_cache(maxsize=1024)
def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


# -- formatters --------------------------------------------------------------------------------------


class TextFormatter(logging.Formatter):
    """Sidekiq's line: time, pid, tid, facts, level, message.

    `2023-03-13T17:54:49.253Z pid=3353 tid=8ep class=CompleteOrderJob jid=a66f elapsed=0.234 INFO: done`

    Parameters: `colour` colours the level for a terminal; `timestamp=False` leaves the time out, for
    platforms that put their own before each line.
    """

    def __init__(self, *, colour: bool = False, timestamp: bool = True) -> None:
        super().__init__()
        self._colour = colour
        self._timestamp = timestamp

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; a traceback follows on lines of its own."""
        own = getattr(record, _RECORD_FACTS, _NOTHING)
        line = self.line(record.created, record.process, own, record.levelno, record.getMessage())
        for text in _trace_parts(self, record):
            line += f"\n{_printable(text)}"
        return line

    def line(self, created_s: float, pid: int | None, own: Mapping[str, Any], level: int, message: str) -> str:
        """The line of a record made of these, without a traceback; `own` are the facts that the record carries."""
        line = f"{_utc_ms(created_s)} pid={pid} tid={tid()} " if self._timestamp else f"pid={pid} tid={tid()} "
        for key, value in _labels(own).items():
            if key not in _JSON_ONLY:
                line += f"{key}={_plain(value)} "
        return _printable(f"{line}{_level_text(level, self._colour)}: {message}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `ts`, `pid`, `tid`, `lvl`, `msg`, and `ctx` with the facts, if there are any.

    The lines "done" and "fail" also carry `duration` and `cpu_s`, both in seconds; a logged exception
    is under `error`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        own = getattr(record, _RECORD_FACTS, _NOTHING)
        parts = self._parts(record.created, record.process, own, record.levelno, record.getMessage())
        trace = _trace_parts(self, record)
        if trace:
            parts["error"] = "\n".join(trace)
        return _printable(_to_json(parts))

    def line(self, created_s: float, pid: int | None, own: Mapping[str, Any], level: int, message: str) -> str:
        """The line of a record made of these, without an error; `own` are the facts that the record carries."""
        return _printable(_to_json(self._parts(created_s, pid, own, level, message)))

    def _parts(
        self, created_s: float, pid: int | None, own: Mapping[str, Any], level: int, message: str
    ) -> dict[str, Any]:
        facts = {**context(), **own}
        line: dict[str, Any] = {
            "ts": _utc_ms(created_s),
            "pid": pid,
            "tid": tid(),
            "lvl": _level_name(level),
            "msg": message,
        }
        if "elapsed" in facts:
            line["duration"] = facts["elapsed"]
        if "cpu_s" in facts:
            line["cpu_s"] = facts.pop("cpu_s")
        if facts:
            line["ctx"] = facts
        return line


_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode  # `json.dumps` would make an encoder each time


def _labels(own: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that a text line has room for, of a record that carries `own`; it may hold others."""
    running = _job.get()
    if running is None:
        return {**carried(), **_context.get(), **own}
    job_log, payload, added = running
    facts, around = _as_carried(job_log.labels(payload), payload), _context.get()
    return {**facts, **added, **around, **own} if added or around else {**facts, **own}


def _trace_parts(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    parts: list[str] = []
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = record.exc_text or formatter.formatException(record.exc_info)
    if record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return parts


def _utc_ms(epoch_s: float) -> str:
    return _utc(int(epoch_s * 1000))


@lru_cache(maxsize=8)  # dozens of lines may fall into one millisecond,
def _utc(epoch_ms: int) -> str:
    seconds, millis = divmod(epoch_ms, 1000)
    return f"{_utc_s(seconds)}.{millis:03d}Z"


@lru_cache(maxsize=8)  # and thousands into one second
def _utc_s(epoch_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(epoch_s))


@lru_cache(maxsize=64)
def _level_text(level: int, colour: bool) -> str:  # noqa: FBT001 - by position, as the cache is faster with it
    name = _level_name(level)
    return f"\x1b[{_COLOURS[name]}m{name}\x1b[0m" if colour else name


def _level_name(level: int) -> str:
    if level >= logging.CRITICAL:
        return "FATAL"
    return _NAMES[max(logging.DEBUG, level // 10 * 10)]


def _plain(value: object) -> str:
    """A fact as text. Lists are joined by commas; a line break in it must not begin a line of its own."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return text.replace("\r", "\\r").replace("\n", "\\n") if "\n" in text or "\r" in text else text


def _printable(text: str) -> str:
    """`text` without lone surrogates: no stream can encode them, and the whole line would be lost."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


# -- a level for one job -------------------------------------------------------------------------------


def job_level() -> int | None:
    """The level that the running job's payload asks for with `log_level`; None: it asks for none."""
    running = _job.get()
    wanted = running[1].get("log_level") if running else None
    return LEVELS.get(wanted.lower()) if isinstance(wanted, str) else None


class JobLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that obeys the `log_level` of the running job, and else behaves as the one inside."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        """Leave `msg` and `kwargs` as they are: the formatter finds the job's facts."""
        return msg, kwargs

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name is logging's
        """Whether a record of `level` would be written now."""
        wanted = job_level()
        return self.logger.isEnabledFor(level) if wanted is None else level >= wanted

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a record. It goes past the logger's own level where the job asks for a lower one."""
        if self.isEnabledFor(level):
            kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
            self.logger._log(level, msg, args, **kwargs)  # pyright: ignore[reportPrivateUsage]


class _LevelFilter(logging.Filter):
    """Drops what is below the running job's own level, whichever logger it came from; without one, below `level`.

    The logger of the jobs lets everything through to here, as only here it is known which job it is about.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self.passes_info = level <= logging.INFO  # what a job's own level lets through, its logger has seen to

    def filter(self, record: logging.LogRecord) -> bool:
        wanted = job_level()
        return record.levelno >= (self._level if wanted is None else wanted)


# -- the lines start, done, fail -----------------------------------------------------------------------


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
        self._lines = LineWriter(logger, _RECORD_FACTS)
        self._skip = config.skip_default_job_logging
        self._attributes = config.logged_job_attributes
        self._log_arguments = config.log_arguments
        self.enabled: bool = not self._skip and logger.isEnabledFor(logging.INFO)

    def wants(self, payload: Mapping[str, Any]) -> bool:
        """Whether `start`, `done` and `fail` would write something for this job."""
        return self.enabled or ("log_level" in payload and not self._skip)

    def enter(self, payload: Mapping[str, Any]) -> Token[Any]:
        """Say that this thread or task now runs `payload`: its log lines carry the job's facts."""
        return _job.set((self, payload, _NOTHING))

    def leave(self, token: Token[Any]) -> None:
        """Undo `enter`."""
        _job.reset(token)

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
        facts.update(_meta(payload))
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

    def _wrote(self, message: str, facts: Mapping[str, Any]) -> _Handler | None:
        """Write the line at once, if our handler is all that would see a record of it; else leave it to logging."""
        handler = self._lines.only_handler()
        return handler if type(handler) is _Handler and handler.wrote(message, facts) else None


def _timed(ctx: Mapping[str, Any], elapsed_s: float, cpu_s: float | None) -> dict[str, Any]:
    if cpu_s is None:
        return {**ctx, "elapsed": round(elapsed_s, 3)}
    return {**ctx, "elapsed": round(elapsed_s, 3), "cpu_s": round(cpu_s, 6)}


def loggable_arguments(args: Sequence[Any], open_indexes: Iterable[int] = ()) -> list[Any]:
    """`args` as they may be logged: numbers, and the positions named (from 0); the rest is hidden.

    Arguments hold mail addresses and tokens more often than one thinks, and a log is read by many.
    A job opens positions with the option `loggable_arguments=(1, 3)`.
    """
    allowed = frozenset(open_indexes) if open_indexes else None
    if not allowed:
        return [arg if type(arg) in _NUMBERS or _is_number(arg) else FILTERED for arg in args]
    return [arg if index in allowed or _is_number(arg) else FILTERED for index, arg in enumerate(args)]


_NUMBERS = (int, float)  # a tuple: four times as fast to ask as `int | float`, and each argument is asked about


def _is_number(value: object) -> bool:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


# -- the process's one handler -------------------------------------------------------------------------


class _Handler(logging.StreamHandler[TextIO]):
    """Our handler, so that a second `setup` finds the first. `emit` is that of logging, but locks only once."""

    def __init__(self, stream: TextIO, lines: TextFormatter | JsonFormatter, only: _LevelFilter) -> None:
        super().__init__(stream)
        self.setFormatter(lines)
        self.addFilter(only)
        self._lines = lines
        self.shows_cpu = type(lines) is JsonFormatter
        self._filters = [only] if only.passes_info else None

    def wrote(self, message: str, facts: Mapping[str, Any]) -> bool:
        """Write a line at INFO that needs no record, unless somebody has changed this handler's parts since."""
        if self.formatter is not self._lines or self.filters != self._filters or self.level > logging.INFO:
            return False
        self.acquire()
        try:
            line = self._lines.line(time.time(), os.getpid(), facts, logging.INFO, message)
            self.stream.write(line + self.terminator)
            self.stream.flush()
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as in `emit`
            self.handleError(logging.makeLogRecord({"msg": message}))
        finally:
            self.release()
        return True

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + self.terminator)
            self.stream.flush()
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as in logging: a line that cannot be written must not hurt who logs it
            self.handleError(record)


def setup(
    level: str = "info",
    log_format: str = "text",
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> logging.Handler:
    """Send all logging of this process to `stream` (standard output). For a process that is ours only.

    Parameters: `level` is one of LEVELS; `log_format` is "text" or "json"; with DYNO in `environ` a text
    line has no time of its own, with NO_COLOR a terminal gets no colours.
    Returns the handler. Calling it again replaces the handler. Raises ConfigError.
    """
    number = LEVELS.get(level.lower())
    if number is None:
        raise ConfigError("log_level", f"one of {', '.join(LEVELS)}", level)
    target = stream if stream is not None else sys.stdout
    lines = make_formatter(log_format, environ, is_terminal=target.isatty())
    handler = _Handler(target, lines, _LevelFilter(number))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    logging.getLogger(JOB_LOGGER).setLevel(logging.DEBUG)
    return handler


def make_formatter(log_format: str, environ: Mapping[str, str], *, is_terminal: bool) -> TextFormatter | JsonFormatter:
    """The formatter `setup` uses for these circumstances. Raises ConfigError for an unknown format."""
    if log_format == "json":
        return JsonFormatter()
    if log_format == "text":
        colour = is_terminal and not environ.get("NO_COLOR")
        return TextFormatter(colour=colour, timestamp="DYNO" not in environ)
    raise ConfigError("log_format", '"text" or "json"', log_format)
