"""Job options: which there are, what they may hold, and which layer wins (behaviour 2, wire-format 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypedDict, cast

from pillion.errors import InvalidJob
from pillion.wire.timestamps import Interval, due_at

GLOBAL_DEFAULTS: Final[Mapping[str, Any]] = {"retry": True, "queue": "default"}

# Meant for the pushing process only: never in a stored payload. `at` is transient too, but client
# middleware may read it, so it goes last (payload.for_queue, payload.for_schedule).
TRANSIENT: Final = frozenset({"pool", "client_class", "sync"})

MAX_RETRY_FOR_S: Final = 1_000_000_000


class JobOptions(TypedDict, total=False):
    """The options Pillion knows. Any other key is allowed as well and travels in every payload.

    `retry`: True for the default number of retries, a number, or False for none and no dead set.
    `retry_for`: seconds since the first failure during which to retry; goes before `retry`.
    `backtrace`: True for all lines, a number for the first so many. `dead`: False to discard the
    job instead of keeping it in the dead set.
    """

    queue: str
    retry: bool | int | None
    retry_for: int | float | timedelta
    retry_queue: str
    backtrace: bool | int
    dead: bool
    tags: list[str] | tuple[str, ...]
    log_level: str
    profile: str
    profiler_options: dict[str, Any]
    pool: object
    client_class: object
    sync: bool


def normalize_options(options: Mapping[Any, Any]) -> dict[str, Any]:
    """Return `options` in wire form: text keys two levels deep, plain values, checked.

    Tags may be any list, tuple or set; `retry_for` may be a timedelta. Raises InvalidJob naming the
    option that is wrong.
    """
    wire = {_text_key(key): _one_level(value) for key, value in options.items()}
    if "queue" in wire:
        wire["queue"] = check_queue(wire["queue"])
    if "tags" in wire:
        wire["tags"] = check_tags(wire["tags"])
    if wire.get("retry_for") is not None:
        wire["retry_for"] = check_retry_for(wire["retry_for"])
    return wire


def _one_level(value: object) -> object:
    if isinstance(value, dict):
        return {_text_key(key): inner for key, inner in cast("dict[object, object]", value).items()}
    return value


def _text_key(key: object) -> str:
    return str.__str__(key) if isinstance(key, str) else str(key)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge option layers, later ones winning, keys staying where they first came.

    The order that the specification asks for is: global defaults, job class, wrapped class, call.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    return merged


def take_wait(options: Mapping[str, Any], now_s: float) -> tuple[dict[str, Any], float | None]:
    """Take `wait` or `wait_until` out of the options of a call.

    Returns the other options and the due time in epoch seconds, None if there is none or it has
    come already (which pushes at once). `now_s` is epoch seconds. Raises InvalidJob("at").
    """
    rest = {key: value for key, value in options.items() if key not in ("wait", "wait_until")}
    interval: Interval | None = options.get("wait_until")
    if interval is None:
        interval = options.get("wait")
    if interval is None:
        return rest, None
    due_s = due_at(interval, now_s)
    return rest, due_s if due_s > now_s else None


# -- single options, for here and for the payload ------------------------------------------------------


def check_queue(value: object) -> str:
    """Return a queue name as plain text. Raises InvalidJob("queue") unless it is text that is not empty."""
    if isinstance(value, str) and value:
        return str.__str__(value)
    raise InvalidJob("queue", f'queue: expected the name of a queue, such as "default", got {value!r}.')


def check_tags(value: object) -> list[Any]:
    """Return tags as a list. Raises InvalidJob("tags") for a lone string and other non-lists."""
    if isinstance(value, list | tuple):
        return list(cast("Iterable[Any]", value))
    if isinstance(value, set | frozenset):
        return sorted(cast("Iterable[Any]", value), key=str)
    raise InvalidJob("tags", f'tags: expected a list of texts, such as ["billing"], got {value!r}.')


def check_retry_for(value: object) -> int:
    """Return `retry_for` in whole seconds. Raises InvalidJob("retry_for") for points in time and non-numbers."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise InvalidJob("retry_for", f"retry_for: expected seconds as a number, or a timedelta, got {value!r}.")
    if seconds > MAX_RETRY_FOR_S:
        raise InvalidJob(
            "retry_for",
            f"retry_for: expected a length of time in seconds, at most {MAX_RETRY_FOR_S}, got {value!r}. "
            "It counts from the first failure; it is not a point in time.",
        )
    return int(seconds)
