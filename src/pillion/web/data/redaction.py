"""Redaction: what of a job may be shown. Asked before anything is drawn, searched, exported or sent as JSON.

    def hide_cards(job, field, value):
        if job.display_class == "PaymentJob" and field == "args":
            return [value[0], HIDDEN]
        return value

    app(auth=..., redact=hide_cards)

The function is called with the job, the name of a field and its value. Fields are "args" (list, unwrapped),
"error_message" (text), "error_backtrace" (list of lines), "context" (map), "payload" (text of what is no job),
"cursor" of an iteration, and each other key of the payload under its own name. It returns what may be shown: the
value, another one, HIDDEN, or a list or map with HIDDEN in places. One that raises hides the whole value.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from pillion.api.display import ENCRYPTED
from pillion.api.record import JobData

log = logging.getLogger("pillion")


class Hidden(Enum):
    """The type of HIDDEN."""

    HIDDEN = "«hidden»"

    def __str__(self) -> str:
        return self.value


HIDDEN: Final = Hidden.HIDDEN
Redact = Callable[[JobData, str, Any], Any]

# Keys that say what a job is and where it belongs, without anything of what it is about.
PUBLIC_KEYS: Final = frozenset(
    {
        *("class", "wrapped", "display_class", "jid", "bid", "queue", "retry", "retry_queue", "retry_for", "dead"),
        *("tags", "created_at", "enqueued_at", "failed_at", "retried_at", "retry_count", "error_class", "at"),
        *("backtrace", "encrypt", "expires_in", "locale"),
    }
)


def show_all(job: JobData, field: str, value: Any) -> Any:
    """Nothing is secret."""
    del job, field
    return value


def hide_all(job: JobData, field: str, value: Any) -> Any:
    """Whatever came from a program: arguments, messages, context and all other keys."""
    del job
    return value if field in PUBLIC_KEYS else HIDDEN


HIDE_ALL: Final[Redact] = hide_all


def redacted(redact: Redact, job: JobData, field: str, value: Any) -> Any:
    """What may be shown of a value: HIDDEN, or one without HIDDEN in it (text stands in its place)."""
    if value == ENCRYPTED:
        return HIDDEN
    try:
        return _spelled(redact(job, field, value))
    except Exception:  # noqa: BLE001 - user code; whatever it raises, nothing is shown
        # The words of the error could be the secret: only where it came from is logged.
        log.warning("The redact function failed on field %r: it is hidden.", field)
        return HIDDEN


def _spelled(value: Any) -> Any:
    """HIDDEN inside of a value, as text."""
    return value if value is HIDDEN else _inside(value)


def _inside(value: Any) -> Any:
    if value is HIDDEN:
        return str(HIDDEN)
    if isinstance(value, list):
        return [_inside(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: _inside(part) for key, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value
