"""What a failed run writes into its payload, and how its exception is read (wire-format 5, behaviour 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from pillion.errors import Shutdown
from pillion.wire.backtrace import compress
from pillion.wire.text import scrub
from pillion.wire.timestamps import to_seconds

MAX_MESSAGE_CHARS: Final = 10_000
NO_MESSAGE: Final = "(this exception could not say what went wrong: its message raised an error itself)"


def record_failure(
    payload: Mapping[str, Any],
    exc: BaseException,
    *,
    queue: str,
    now_ms: int,
    backtrace: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return a copy of `payload` that records this failure (wire-format 5.1).

    `payload` must come fresh from the stored bytes, so that what middleware changed is not kept.
    `queue` is the one the job was fetched from; `retry_queue` in the payload goes before it.
    `now_ms` is epoch milliseconds. `backtrace` holds all lines, innermost first; how many of them
    are stored is the payload's `backtrace` option: true all, n the first n.
    The first failure sets `failed_at` and `retry_count` 0, each later one `retried_at` and adds 1.
    A `failed_at` that is missing or unreadable later on is set anew, so that it can be relied on.
    """
    record = dict(payload)
    record["queue"] = record.get("retry_queue") or queue
    record["error_message"] = error_message(exc)
    record["error_class"] = error_class(exc)
    count = _count(record.get("retry_count"))
    if count is None:
        record["failed_at"] = now_ms
        record["retry_count"] = 0
    else:
        if to_seconds(record.get("failed_at")) is None:
            record["failed_at"] = now_ms
        record["retry_count"] = count + 1
        record["retried_at"] = now_ms
    lines = _kept_lines(record.get("backtrace"), backtrace)
    if lines is not None:
        record["error_backtrace"] = compress(lines)
    return record


def _count(value: object) -> int | None:
    """Read `retry_count`; anything but a number counts as none yet."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def _kept_lines(option: object, lines: Sequence[str] | None) -> Sequence[str] | None:
    if lines is None or option is None or option is False:
        return None
    if option is True:
        return lines
    count = _count(option)
    return lines[:count] if count is not None and count > 0 else None


def error_message(exc: BaseException) -> str:
    """The first 10 000 characters of the exception's message, valid as UTF-8.

    A message that raises when asked gives a fixed text instead: a failure must always be recordable.
    """
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - __str__ is user code
        return NO_MESSAGE
    return scrub(str.__str__(text)[:MAX_MESSAGE_CHARS])


def error_class(exc: BaseException) -> str:
    """The exception's name on the wire: built-in ones bare (`ValueError`), others `module.QualName`."""
    kind = type(exc)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return scrub(name)


def cause_chain(exc: BaseException) -> Iterator[BaseException]:
    """Walk the exception, what caused it, and the members of exception groups, each once.

    The cause is `__cause__`, or else `__context__` unless `from None` hid it. Cycles end the walk.
    """
    seen: set[int] = set()
    waiting = [exc]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(reversed(_behind(current)))


def _behind(exc: BaseException) -> list[BaseException]:
    """What lies directly behind an exception: its cause first, then the members of a group."""
    cause = exc.__cause__
    if cause is None and not exc.__suppress_context__:
        cause = exc.__context__
    members: list[BaseException] = []
    if isinstance(exc, BaseExceptionGroup):
        members.extend(cast("BaseExceptionGroup[BaseException]", exc).exceptions)
    return members if cause is None else [cause, *members]


def is_shutdown(exc: BaseException) -> bool:
    """Whether the process's own shutdown stands anywhere behind this exception (behaviour 5.1)."""
    return any(isinstance(found, Shutdown) for found in cause_chain(exc))
