"""Levels: their names in settings, and the level that a single job may have."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pillion.log.facts import RUNNING

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
JOB_LOGGER = "pillion.job"  # what a job has as `self.logger`


def job_level() -> int | None:
    """The level that the running job's payload asks for with `log_level`; None: it asks for none."""
    running = RUNNING.get()
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


class LevelFilter(logging.Filter):
    """Drops what is below the running job's own level, whichever logger it came from; without one, below `level`.

    The logger of the jobs lets everything through to here, as only here it is known which job it is about.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self.passes_info = level <= logging.INFO  # what a job's own level lets through, its logger has seen to

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        wanted = job_level()
        return record.levelno >= (self._level if wanted is None else wanted)
