"""The job payload: from what a caller pushes to what is stored.

Key order on the wire (wire-format 4): options as the job defines them, then the keys of the push,
then `jid`, `created_at`, `enqueued_at`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pillion.errors import InvalidJob
from pillion.wire.options import TRANSIENT, check_queue, check_retry_for, check_tags
from pillion.wire.text import shown

JID_BYTES: Final = 12
_TEXT: Final = frozenset({str})


def new_jid() -> str:
    """A new job id: 24 lower-case hex digits from the system's random source."""
    return os.urandom(JID_BYTES).hex()


def new_jids(count: int) -> list[str]:
    """So many new job ids, for one question to the system."""
    digits = os.urandom(JID_BYTES * count).hex()
    return [digits[start : start + 2 * JID_BYTES] for start in range(0, len(digits), 2 * JID_BYTES)]


def normalize(
    item: Mapping[str, Any],
    defaults: Mapping[str, Any],
    *,
    now_ms: int,
    new_jid: Callable[[], str] = new_jid,
) -> dict[str, Any]:
    """Check a job to push and complete it (behaviour 1.2 and 1.3).

    `item` has at least `class` (the wire name, or an object with a `wire_name`) and `args` (a list).
    `defaults` are the job's merged options in wire form; `item` wins over them. `now_ms` is epoch
    milliseconds, used for a missing `created_at`. A `jid` and `created_at` that are there are kept,
    and so is `at`: client middleware may look at it. Raises InvalidJob, naming the field.
    """
    _check_item(item)
    payload = {**defaults, **item}
    for key in TRANSIENT:
        payload.pop(key, None)
    payload["args"] = _args(payload["args"])
    payload["class"] = _class_name(payload["class"])
    payload["queue"] = check_queue(payload.get("queue"))
    if "at" in payload:
        _check_at(payload["at"])
    if "tags" in payload:
        payload["tags"] = check_tags(payload["tags"])
    if payload.get("retry_for") is not None:
        payload["retry_for"] = check_retry_for(payload["retry_for"])
    payload["jid"] = _jid(payload.get("jid")) or new_jid()
    payload["created_at"] = payload.get("created_at") or now_ms
    return payload


def _check_item(item: object) -> None:
    if type(item) is not dict and not isinstance(item, Mapping):
        raise InvalidJob("item", f'A job must be a map with "class" and "args", got {shown(item)}.')
    keys = cast("Mapping[object, object]", item)
    if not _TEXT.issuperset(map(type, keys)):
        odd = next(key for key in keys if type(key) is not str)
        raise InvalidJob("item", f"A job's keys must be strings, got {shown(odd)} ({type(odd).__qualname__}).")
    for field in ("class", "args"):
        if field not in keys:
            present = ", ".join(map(str, keys)) or "nothing"
            raise InvalidJob(field, f'A job must have "class" and "args"; {field} is missing, got {present}.')


def _args(value: object) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(cast("list[Any]", value))
    raise InvalidJob(
        "args",
        f"args: expected a list of the positional arguments, got {shown(value)} ({type(value).__qualname__}). "
        "A single argument goes into a list as well: [42].",
    )


def _class_name(value: object) -> str:
    name = value if isinstance(value, str) else getattr(value, "wire_name", None)
    if isinstance(name, str) and name:
        return str.__str__(name)
    if isinstance(value, type):
        ancestors = ", ".join(base.__qualname__ for base in value.__mro__)
        raise InvalidJob("class", f"class: expected a job class, got {value.__qualname__} (ancestors: {ancestors}).")
    raise InvalidJob("class", f"class: expected a job class or its name, got {shown(value)}.")


def _check_at(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidJob(
            "at", f"at: expected epoch seconds as a number, got {shown(value)}. Leave the key out to push at once."
        )


def _jid(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidJob("jid", f"jid: expected text, got {shown(value)}. Leave the key out to get a new one.")


def for_queue(payload: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """The payload as it goes into a queue now: without `at`, `enqueued_at` set (epoch milliseconds)."""
    stored = dict(payload)
    stored.pop("at", None)
    stored["enqueued_at"] = now_ms
    return stored


def for_schedule(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as it goes into the schedule: without `at`, which is its score, and `enqueued_at`."""
    stored = dict(payload)
    stored.pop("at", None)
    stored.pop("enqueued_at", None)
    return stored
