"""Relay: the log handler of a child. What a job logs is written by the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pillion import log
from pillion.server.isolation import records

_MISSING = object()
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Relay(logging.Handler):
    """Sends records to the worker while a job runs. Others, of threads that outlive their job, go to `others`."""

    def __init__(self, send: Callable[[bytes], None], others: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._send = send
        self._others = others
        self._known: Mapping[str, Any] | None = None  # the facts of the running job that the worker has as well

    def begin(self) -> None:
        """A job begins, with the facts that hold now."""
        self._known = log.context()

    def end(self) -> None:
        """It has ended."""
        self._known = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send or write the record."""
        known = self._known
        if known is None:
            for handler in self._others:
                if record.levelno >= handler.level:
                    handler.handle(record)
            return
        try:
            added = {key: value for key, value in log.context().items() if known.get(key, _MISSING) != value}
            self._send(records.pack(record, added))
        except Exception:  # noqa: BLE001 - as in logging: a line that cannot be written must not hurt who logs it
            self.handleError(record)


def install(relay: Relay) -> None:
    """Have the records of all loggers go to `relay`, and nowhere else: the worker's loggers have the same handlers."""
    root = logging.getLogger()
    for logger in [root, *root.manager.loggerDict.values()]:
        if isinstance(logger, logging.Logger):
            logger.handlers = []
            logger.propagate = True
    root.addHandler(relay)
