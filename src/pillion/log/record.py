"""Records of lines that are logged again and again, such as `start` and `done`, without logging's full price.

`logging` looks for the caller and takes the file name, the process and the thread to pieces for every
record. For a line that always comes from the same place all that is the same each time, so it is done once
for each thread; what differs is the time and the facts. Nothing can be told from outside: the logger's filters,
its handlers and those above it get a LogRecord like any other. Where nobody is there to get one but a single
handler, which needs none, not even a record is made: `only_handler` says so.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from functools import lru_cache
from types import FunctionType
from typing import Any

_STACK_LEVELS = 3  # from `findCaller` to who asked for the line: `_template`, `write`, the caller


class _Own(threading.local):
    """The templates of one thread, by message: what all records of that line have in common."""

    def __init__(self) -> None:
        self.templates: dict[str, dict[str, Any]] = {}


class LineWriter:
    """Writes lines at INFO to `logger`, each with something in its attribute `extra`."""

    def __init__(self, logger: logging.Logger, extra: str) -> None:
        self._logger = logger
        self._extra = extra
        self._own = _Own()

    def write(self, message: str, extra: object) -> None:
        """Hand a record of `message` with `extra` to the logger, whatever its level."""
        if not self._is_usual():
            self._logger._log(logging.INFO, message, (), extra={self._extra: extra}, stacklevel=2)  # pyright: ignore[reportPrivateUsage]
            return
        template = self._own.templates.get(message) or self._template(message)
        now_s = time.time()
        record = logging.LogRecord.__new__(logging.LogRecord)
        fields = record.__dict__
        fields.update(template)
        fields[self._extra] = extra
        fields["created"] = now_s
        fields["msecs"] = float(int(now_s % 1 * 1000))
        fields["relativeCreated"] = template["relativeCreated"] + (now_s - template["created"]) * 1000
        fields["process"] = os.getpid()
        if "taskName" in template:  # from Python 3.12 on; all tasks of a loop share the template of its thread
            fields["taskName"] = _task_name()
        self._logger.handle(record)

    def only_handler(self) -> logging.Handler | None:
        """The one handler that would see a record of the logger; None if there are more, or something before it.

        Then nobody can tell a line that this handler writes without a record from one with it.
        """
        logger = self._logger
        root = logger.root
        if logger.filters or logger.handlers or not logger.propagate or logger.disabled or logger.parent is not root:
            return None
        handlers = root.handlers
        return handlers[0] if len(handlers) == 1 and self._is_usual() else None

    def _is_usual(self) -> bool:
        """Whether the application makes no records of its own, and nobody has put code in the place of logging's."""
        kind = type(self._logger)
        return (
            kind is logging.Logger
            and logging.getLogRecordFactory() is logging.LogRecord
            and _are_loggings(kind.makeRecord, kind.handle, kind.callHandlers)
        )

    def _template(self, message: str) -> dict[str, Any]:
        logger = self._logger
        file, line, function, _ = logger.findCaller(stack_info=False, stacklevel=_STACK_LEVELS)
        record = logger.makeRecord(logger.name, logging.INFO, file, line, message, (), None, function)
        return self._own.templates.setdefault(message, record.__dict__)


def _task_name() -> str | None:
    """As logging finds it out."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not getattr(logging, "logAsyncioTasks", False):
        return None
    try:
        return str(asyncio.current_task().get_name())
    except (AttributeError, RuntimeError):  # no task, or no loop
        return None


@lru_cache(maxsize=8)
def _are_loggings(*methods: object) -> bool:
    """Whether these come from logging itself: tools that watch an application replace them by theirs."""
    return all(type(method) is FunctionType and method.__globals__ is logging.__dict__ for method in methods)
