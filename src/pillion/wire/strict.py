"""Strict arguments: refuse, at the push, what would come out of JSON as something else (behaviour 1.6).

A tuple would arrive as a list, a date as nothing at all. Better an error where the job is pushed
than a surprise where it runs.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Final, Literal, NamedTuple, cast
from uuid import UUID

from pillion.errors import ComplexArgument
from pillion.wire.codec import MAX_DEPTH
from pillion.wire.text import shown

Mode = Literal["raise", "warn", False]

_UNCHANGED: Final = frozenset({str, int, bool, NoneType})
_TEXT: Final = frozenset({str})

_HINTS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (tuple, "Pass a list: a tuple would arrive as one."),
    ((set, frozenset), "Pass a sorted list."),
    ((datetime, date, time), "Pass value.isoformat() and parse it in the job."),
    (timedelta, "Pass value.total_seconds()."),
    (Decimal, "Pass str(value): a float would lose digits."),
    (UUID, "Pass str(value)."),
    ((bytes, bytearray, memoryview), "Pass text, for example base64."),
    (Enum, "Pass value.value."),
    (float, "JSON has no NaN or Infinity. Pass None, or text."),
    ((str, int, list, dict), "Pass the plain value: a subclass would arrive as its base type."),
)
_OTHER_HINT: Final = "Pass its id or its plain fields, and look it up in the job."


class Offender(NamedTuple):
    """The first value that JSON would change. `path` reads like Python: `[0]["when"]`."""

    path: str
    value: object
    is_key: bool = False


def find_complex(value: object) -> Offender | None:
    """Find the first value inside `value` that JSON cannot carry unchanged, or None (behaviour 1.6).

    Unchanged are exactly str, int, finite float, bool, None, list, and dict with str keys;
    subclasses are not. Depth beyond what the codec accepts is left to the codec to refuse.
    """
    if type(value) in _UNCHANGED:
        return None
    return _find(value, "", MAX_DEPTH)


def _find(value: object, path: str, levels: int) -> Offender | None:
    kind = type(value)
    if kind in _UNCHANGED or (kind is float and math.isfinite(cast("float", value))):
        return None
    if kind is list:
        return _find_among(enumerate(cast("list[object]", value)), path, levels)
    if kind is not dict:
        return Offender(path, value)
    mapping = cast("dict[object, object]", value)
    if not _TEXT.issuperset(map(type, mapping)):
        return next(Offender(path, key, is_key=True) for key in mapping if type(key) is not str)
    return _find_among(mapping.items(), path, levels)


def _find_among(items: Iterable[tuple[object, object]], path: str, levels: int) -> Offender | None:
    if levels == 0:
        return None
    for step, item in items:
        if type(item) in _UNCHANGED:
            continue
        found = _find(item, f"{path}[{step!r}]", levels - 1)
        if found is not None:
            return found
    return None


def check_args(args: Sequence[object], job_name: str, mode: Mode) -> None:
    """Check a job's positional arguments (behaviour 1.6).

    `job_name` is the class that the message names (the wrapped one, if there is one). With mode
    "raise" an offender raises ComplexArgument, with "warn" a line goes to stderr, with False
    nothing is checked.
    """
    if mode is False or _UNCHANGED.issuperset(map(type, args)):
        return
    offender = find_complex(list(args))
    if offender is None:
        return
    message = _explain(offender, job_name)
    if mode == "raise":
        raise ComplexArgument(message)
    print(f"pillion: {message}", file=sys.stderr)


def _explain(offender: Offender, job_name: str) -> str:
    value = offender.value
    kind = type(value).__qualname__
    place = f"args{offender.path}"
    came = f"{place} has the key {shown(value)} ({kind})" if offender.is_key else f"{place} is {shown(value)} ({kind})"
    hint = "Use string keys." if offender.is_key else _hint(value)
    return (
        f"{job_name}: arguments must be plain JSON: str, int, float, bool, None, list, or dict with str keys. "
        f'But {came}. {hint} To turn this check off: config.strict_args = "warn" or False.'
    )


def _hint(value: object) -> str:
    return next((hint for kinds, hint in _HINTS if isinstance(value, kinds)), _OTHER_HINT)
