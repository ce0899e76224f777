"""Bulk orders: read and check what a `push_bulk` was given (behaviour.md 1.4).

Where Sidekiq has a quirk, Pillion does this instead: `at` below 1e9 counts from now as in
`perform_in`; a lazy list works with `spread_interval`; a jid given for a single job is kept; the
caller's map is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from pillion.errors import InvalidJob
from pillion.wire.timestamps import due_at

BATCH_SIZE: Final = 1000
# A scheduled batch becomes one ZADD, which costs Redis more for each job than an LPUSH.
SCHEDULED_BATCH_SIZE: Final = 100
MIN_SPREAD_S: Final = 5.0

_OWN_KEYS: Final = frozenset({"at", "batch_size", "spread_interval"})


class NotAnArgumentList(InvalidJob, TypeError):
    """A bulk push was given a flat list: each job needs a list of arguments of its own."""

    def __init__(self, index: int, value: object) -> None:
        super().__init__(
            "args",
            f"args[{index}]: expected the list of one job's arguments, got {value!r:.200}. "
            "A bulk push takes a list of lists: [[1], [2], [3]] for three jobs with one argument each.",
        )


class BulkOrder(NamedTuple):
    """A checked bulk push. `calls` yields (arguments, due time in epoch seconds or None for now)."""

    item: dict[str, Any]
    calls: Iterator[tuple[list[Any], float | None]]
    batch_size: int


def read_order(item: Mapping[str, Any], now_s: float, rand: Callable[[], float]) -> BulkOrder | None:
    """Check a bulk push; None if it is an empty list. Raises InvalidJob, naming the field.

    `rand` returns numbers 0 <= x < 1. A lazy iterable of arguments is not read here, except where
    its length must be known.
    """
    if not isinstance(cast("object", item), Mapping) or "args" not in item or "class" not in item:
        raise InvalidJob("item", f'A bulk push must be a map with "class" and "args", got {item!r:.200}.')
    at: Any = item.get("at")
    spread_s: object = item.get("spread_interval")
    if at is not None and spread_s is not None:
        raise InvalidJob("at", "A bulk push takes either at or spread_interval, not both.")
    scheduled = at is not None or spread_s is not None
    calls = _arguments(item["args"])
    if isinstance(calls, list) and not calls:
        return None
    if isinstance(at, list | tuple) or spread_s is not None or item.get("jid") is not None:
        calls = list(calls)
    if item.get("jid") is not None and len(cast("list[Any]", calls)) > 1:
        raise InvalidJob("jid", f"jid: one id cannot be given to several jobs, got {item['jid']!r}.")
    rest = {key: value for key, value in item.items() if key not in _OWN_KEYS}
    due = _due_times(at, spread_s, calls, now_s, rand)
    size = _batch_size(item.get("batch_size"), SCHEDULED_BATCH_SIZE if scheduled else BATCH_SIZE)
    return BulkOrder({**rest, "args": []}, zip(_checked(calls), due, strict=False), size)


def _arguments(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        return list(cast("Sequence[Any]", value))
    if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
        raise NotAnArgumentList(0, cast("object", value))
    lazy: Iterable[Any] = value
    return lazy


def _checked(calls: Iterable[Any]) -> Iterator[list[Any]]:
    for index, args in enumerate(calls):
        if not isinstance(args, list | tuple):
            raise NotAnArgumentList(index, args)
        yield list(cast("Sequence[Any]", args))


def _due_times(
    at: Any, spread_s: object, calls: Iterable[Any], now_s: float, rand: Callable[[], float]
) -> Iterable[float | None]:
    """One due time for each job; those that have come already are None, which pushes at once."""
    if spread_s is not None:
        width_s = max(_spread(spread_s), MIN_SPREAD_S)
        return (now_s + rand() * width_s for _ in cast("list[Any]", calls))
    if isinstance(at, list | tuple):
        times = cast("Sequence[Any]", at)
        size = len(cast("list[Any]", calls))
        if len(times) != size:
            raise InvalidJob("at", f"at: expected one time for each of the {size} jobs, got {len(times)}.")
        return [_later(time, now_s) for time in times]
    return _forever(None if at is None else _later(at, now_s))


def _forever(value: float | None) -> Iterator[float | None]:
    while True:
        yield value


def _later(at: Any, now_s: float) -> float | None:
    due_s = due_at(at, now_s)
    return due_s if due_s > now_s else None


def _spread(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidJob("spread_interval", f"spread_interval: expected seconds above 0, got {value!r}.")
    return float(value)


def _batch_size(value: object, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidJob("batch_size", f"batch_size: expected a whole number of 1 or more, got {value!r}.")
    return value
