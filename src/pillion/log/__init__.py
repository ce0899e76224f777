"""Logging: Sidekiq's line, a JSON line, and the facts of the running job on every record.

Everything here works with the standard `logging` module. Nothing happens on import: only `setup`,
which the `pillion` command calls, installs a handler. An application with its own logging set-up
uses `TextFormatter` or `JsonFormatter` in it and gets the same lines.
"""

from __future__ import annotations

from pillion.log.facts import (
    META,
    add_context,
    adopt,
    carried,
    carry,
    carrying,
    context,
    running_payload,
    with_context,
)
from pillion.log.handler import make_formatter, setup
from pillion.log.job_log import FILTERED, JobLog, JobLogOptions, loggable_arguments
from pillion.log.levels import JOB_LOGGER, LEVELS, JobLogger, job_level
from pillion.log.lines import JsonFormatter, TextFormatter, tid

__all__ = [
    "FILTERED",
    "JOB_LOGGER",
    "LEVELS",
    "META",
    "JobLog",
    "JobLogOptions",
    "JobLogger",
    "JsonFormatter",
    "TextFormatter",
    "add_context",
    "adopt",
    "carried",
    "carry",
    "carrying",
    "context",
    "job_level",
    "loggable_arguments",
    "make_formatter",
    "running_payload",
    "setup",
    "tid",
    "with_context",
]
