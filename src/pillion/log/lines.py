"""Formatters: Sidekiq's line and a JSON line, for any logging set-up."""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pillion.log.facts import NOTHING, TASK_TID, context, labels

RECORD_FACTS = "pillion"  # the attribute of a record that holds its own facts

_NAMES = {logging.DEBUG: "DEBUG", logging.INFO: "INFO", logging.WARNING: "WARN", logging.ERROR: "ERROR"}
_COLOURS = {"DEBUG": "1;32", "INFO": "1;34", "WARN": "1;33", "ERROR": "1;31", "FATAL": "1;35"}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Facts come from payloads, and those from anybody: a line break would begin a line that looks like one of ours, and the
# other control characters tell a terminal to do things.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Sidekiq's line has no room for these; the JSON line has.
_JSON_ONLY = frozenset({"queue", "args", "cpu_s"})


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
        facts = self.facts(getattr(record, RECORD_FACTS, NOTHING))
        line = self.line(record.created, record.process, facts, record.levelno, record.getMessage())
        for text in _trace_parts(self, record):
            line += f"\n{_printable(text)}"
        return line

    def facts(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """What a line shows, written here and now, of a record that carries `own`."""
        return labels(own)

    def line(self, created_s: float, pid: int | None, facts: Mapping[str, Any], level: int, message: str) -> str:
        """The line of a record made of these, without a traceback."""
        begin = f"{_utc_ms(created_s)} pid={pid} tid={tid()} " if self._timestamp else f"pid={pid} tid={tid()} "
        shown = ""
        for key, value in facts.items():
            if key not in _JSON_ONLY:
                shown += f"{key}={value if type(value) is str else _plain(value)} "
        if not shown.isprintable():
            shown = _CONTROL.sub(_escaped, shown)
        return _printable(f"{begin}{shown}{_level_text(level, self._colour)}: {message}")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `ts`, `pid`, `tid`, `lvl`, `msg`, and `ctx` with the facts, if there are any.

    The lines "done" and "fail" also carry `duration` and `cpu_s`, both in seconds; a logged exception
    is under `error`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        facts = self.facts(getattr(record, RECORD_FACTS, NOTHING))
        parts = self._parts(record.created, record.process, facts, record.levelno, record.getMessage())
        trace = _trace_parts(self, record)
        if trace:
            parts["error"] = "\n".join(trace)
        return _printable(_to_json(parts))

    def facts(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """What a line shows, written here and now, of a record that carries `own`."""
        return {**context(), **own}

    def line(self, created_s: float, pid: int | None, facts: Mapping[str, Any], level: int, message: str) -> str:
        """The line of a record made of these, without an error."""
        return _printable(_to_json(self._parts(created_s, pid, dict(facts), level, message)))

    def _parts(
        self, created_s: float, pid: int | None, facts: dict[str, Any], level: int, message: str
    ) -> dict[str, Any]:
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


# `json.dumps` would make an encoder each time. Without allow_nan=False it would write NaN, which no JSON has.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode


def _to_json(parts: dict[str, Any]) -> str:
    try:
        return _encode(parts)
    except (TypeError, ValueError):  # NaN, keys that are no text, what contains itself
        ctx = {str(key): _json_or_text(value) for key, value in parts.pop("ctx", {}).items()}
        return _encode({**{key: _json_or_text(value) for key, value in parts.items()}, "ctx": ctx})


def _json_or_text(value: Any) -> Any:
    try:
        _encode(value)
    except (TypeError, ValueError):
        return str(value)
    return value


def tid() -> str:
    """A short name for the running thread, unique on this machine: the kernel's thread id in base 36.

    A job on the event loop shares its thread with others: it has a name of its own.
    """
    return TASK_TID.get() or _base36(threading.get_native_id())


@lru_cache(maxsize=1024)
def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


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
    """A fact as text. Lists are joined by commas."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _printable(text: str) -> str:
    """`text` without lone surrogates: no stream can encode them, and the whole line would be lost."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
