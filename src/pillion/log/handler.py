"""The one handler of a process that is ours: `setup` installs it."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from pillion.errors import ConfigError
from pillion.log.facts import is_alone
from pillion.log.levels import JOB_LOGGER, LEVELS, LevelFilter
from pillion.log.lines import JsonFormatter, TextFormatter


class Handler(logging.StreamHandler[TextIO]):
    """Our handler, so that a second `setup` finds the first. `emit` is that of logging, but locks only once."""

    def __init__(self, stream: TextIO, lines: TextFormatter | JsonFormatter, only: LevelFilter) -> None:
        super().__init__(stream)
        self.setFormatter(lines)
        self.addFilter(only)
        self._lines = lines
        self.shows_cpu = type(lines) is JsonFormatter
        self._filters = [only] if only.passes_info else None

    def wrote(self, message: str, own: Mapping[str, Any]) -> bool:
        """Write a line at INFO that needs no record, unless somebody has changed this handler's parts since.

        `own` are the facts that the job began with, and more.
        """
        if self.formatter is not self._lines or self.filters != self._filters or self.level > logging.INFO:
            return False
        self.acquire()
        try:
            facts = own if is_alone() else self._lines.facts(own)
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
        """Write the record."""
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
    handler = Handler(target, lines, LevelFilter(number))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, Handler)]:
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
