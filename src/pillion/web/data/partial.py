"""A job that is too large to travel: what its two ends say of it. Pure.

A payload begins with class and queue and ends with times and errors; what makes it large are the arguments
between. So what stands before the first "args" and behind the middle is believed, as far as it looks right.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pillion.api.record import JobData
from pillion.errors import DecodeError
from pillion.wire import codec

_TEXTS: Final = re.compile(rb'"(class|wrapped|display_class|queue|jid|error_class)":("(?:[^"\\]|\\.){0,200}")')
_NUMBERS: Final = re.compile(
    rb'"(created_at|enqueued_at|failed_at|retried_at|retry_count)":(-?\d{1,15}(?:\.\d{1,9})?)[,}]'
)


class PartialJob(JobData):
    """A job of which only the beginning and the end are known. `args` has the beginning, as text."""

    def __init__(self, head: bytes, tail: bytes, queue: str | None = None) -> None:
        super().__init__(head, queue)
        self.item = _salvage(head.partition(b'"args":')[0]) | _salvage(tail)  # in place of what parsing would give

    @property
    def args(self) -> list[Any]:
        """The beginning of the payload."""
        return [self.value.decode(errors="replace")]

    @property
    def is_readable(self) -> bool:
        """Never: not in whole."""
        return False


def _salvage(part: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pattern in (_TEXTS, _NUMBERS):
        for name, text in pattern.findall(part):
            try:
                found[name.decode()] = codec.loads(text)
            except DecodeError:
                continue
    return found


def waiting_since(tail: bytes) -> float | None:
    """When a job entered its queue, from the end of its payload (epoch s); None if that does not say."""
    return PartialJob(b"", tail).enqueued_at
