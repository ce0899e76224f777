"""Log records on their way from a child to the worker, whose handlers write them.

So there is one log, whoever set it up: files, formats, error trackers. The worker's thread waits for the child inside
the context of the job, which gives the line its facts; only those that the job has added come from the child.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from pillion.log.lines import RECORD_FACTS

_FIELDS: Final = (
    "name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName", "created", "msecs",
    "process", "processName", "thread", "threadName", "stack_info",
)  # fmt: skip
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", RECORD_FACTS}

_formatter = logging.Formatter()


def pack(record: logging.LogRecord, facts: Mapping[str, Any]) -> bytes:
    """A record as bytes, with `facts` that the worker does not know. What is no JSON goes as its text."""
    fields = {name: getattr(record, name) for name in _FIELDS}
    fields["msg"] = record.getMessage()
    if record.exc_info and not record.exc_text:
        fields["exc_text"] = _formatter.formatException(record.exc_info)
    else:
        fields["exc_text"] = record.exc_text
    extra = {name: value for name, value in vars(record).items() if name not in _USUAL}
    own = {**facts, **getattr(record, RECORD_FACTS, {})}
    return json.dumps({**extra, **fields, RECORD_FACTS: own}, default=str, skipkeys=True).encode()


def replay(packed: bytes) -> None:
    """Hand a record to the logger of its name, here."""
    record = logging.makeLogRecord(json.loads(packed))
    logging.getLogger(record.name).handle(record)
