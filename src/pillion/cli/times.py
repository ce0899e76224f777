"""Lengths of time and moments as people write them on a command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from pillion.errors import ConfigError

T = TypeVar("T")

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")
# A number alone is seconds; behind a unit it needs one too: "1h30" could mean either.
_DURATION = re.compile(r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?[smhdw])+")
# Ten digits, so that 20260101 is no moment in 1970.
_EPOCH = re.compile(r"\d{10}(?:\.\d+)?")


def read_duration(text: str, option: str = "--in") -> float:
    """Seconds in "90", "5m", "1.5h", "2d" or "1h30m". Raises ConfigError."""
    if not _DURATION.fullmatch(text):
        raise ConfigError(option, "a length of time such as 90, 5m, 2h, 1d or 1h30m", text)
    return sum(float(number) * _UNITS_S[unit or "s"] for number, unit in _PART.findall(text))


def read_moment(text: str, option: str = "--at") -> float:
    """Epoch seconds of "2026-01-01T00:00:00Z", another ISO time with an offset, or "1767225600". Raises ConfigError."""
    if _EPOCH.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(option, "a time such as 2026-01-01T00:00:00Z", text) from None
    if moment.tzinfo is None:
        hint = "Put Z (UTC) or an offset such as +02:00 behind it: a worker may live in another time zone."
        raise ConfigError(option, "a time with its time zone", text, hint)
    return moment.timestamp()


def reader(read: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A click callback that puts `read` around one value or each of many."""

    def callback(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        return [read(one) for one in value] if isinstance(value, tuple) else read(value)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]

    return callback
