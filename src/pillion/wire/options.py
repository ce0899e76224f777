"""Job options as they must be in a payload: which never get there, and what others may hold.

Sidekiq: behaviour 1.3 (checks of a push) and 2 (options), wire-format 4 (every key).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, cast

from pillion.errors import InvalidJob
from pillion.wire.text import shown

# Meant for the pushing process only: never in a stored payload. `at` is transient too, but client
# middleware may read it, so it goes last (payload.for_queue, payload.for_schedule).
TRANSIENT: Final = frozenset({"pool", "client_class", "sync", "transactional_push"})

MAX_RETRY_FOR_S: Final = 1_000_000_000


def check_queue(value: object) -> str:
    """Return a queue name as plain text. Raises InvalidJob("queue") unless it is text that is not empty."""
    if isinstance(value, str) and value:
        return str.__str__(value)
    raise InvalidJob("queue", f'queue: expected the name of a queue, such as "default", got {shown(value)}.')


def check_tags(value: object) -> list[Any]:
    """Return tags as a list. Raises InvalidJob("tags") for a lone string and other non-lists."""
    if isinstance(value, list | tuple):
        return list(cast("Iterable[Any]", value))
    if isinstance(value, set | frozenset):
        return sorted(cast("Iterable[Any]", value), key=str)
    raise InvalidJob("tags", f'tags: expected a list of texts, such as ["billing"], got {shown(value)}.')


def check_retry_for(value: object) -> int:
    """Return `retry_for` in whole seconds. Raises InvalidJob("retry_for") for points in time and non-numbers."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise InvalidJob("retry_for", f"retry_for: expected seconds as a number, or a timedelta, got {shown(value)}.")
    if seconds > MAX_RETRY_FOR_S:
        raise InvalidJob(
            "retry_for",
            f"retry_for: expected a length of time in seconds, at most {MAX_RETRY_FOR_S}, got {shown(value)}. "
            "It counts from the first failure; it is not a point in time.",
        )
    return int(seconds)
