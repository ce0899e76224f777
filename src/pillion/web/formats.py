"""How numbers, lengths of time, moments and sizes are written for people. Pure: language and clock are passed in.

Nothing here raises, whatever the value: what is unknown, infinite or out of range is written as a dash.
Short where it is read at a glance; pages put the exact value into a tooltip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeGuard

from pillion.web.locale import Locale

DASH: Final = "–"

# From this year on a moment is a broken value, not a plan.
_END_OF_TIME_S: Final = 253_402_300_800.0
_TOO_LARGE: Final = 1e18
_UNITS_S: Final = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
_SIZES: Final = ("b", "kb", "mb", "gb", "tb")
# Exact up to here: a queue of 99,999 is worth its digits, one of 1,204,331 is "1.2M".
_SHORT_FROM: Final = 100_000
_SHORTS: Final = ((1e9, "short.g"), (1e6, "short.m"), (1e3, "short.k"))


@dataclass(slots=True, frozen=True)
class Formats:
    """Writes values in a language, as seen at `now_s` (epoch seconds)."""

    locale: Locale
    now_s: float

    # -- numbers -----------------------------------------------------------------------------------------

    def number(self, value: float | None) -> str:
        """In full: `12,480`."""
        return DASH if not _is_real(value) else self.locale.number(_rounded(value))

    def short(self, value: float | None) -> str:
        """In full up to 99,999, then `120k`, `1.2M`."""
        if not _is_real(value):
            return DASH
        if abs(value) < _SHORT_FROM:
            return self.locale.number(_rounded(value))
        size, key = next((size, key) for size, key in _SHORTS if abs(value) >= size)
        return self.locale(key, n=_three_digits(value / size))

    def signed(self, value: float | None) -> str:
        """With its sign: `+400`, `−20`, `0`."""
        if not _is_real(value):
            return DASH
        sign = "+" if value > 0 else "−" if value < 0 else ""
        return sign + self.short(abs(value))

    def percent(self, share: float | None) -> str:
        """A share of 1: `42%`, `0.3%`."""
        if not _is_real(share):
            return DASH
        value = share * 100
        return self.locale("percent", n=round(value) if abs(value) >= 10 or value == 0 else _three_digits(value, 1))

    def size(self, amount: float | None) -> str:
        """Bytes: `410 MB`, `1.9 GB`."""
        if not _is_real(amount):
            return DASH
        step = min(int(math.log(abs(amount), 1024)), len(_SIZES) - 1) if abs(amount) >= 1 else 0
        return self.locale(f"size.{_SIZES[step]}", n=_three_digits(amount / 1024**step))

    def facts(self, facts: Mapping[str, str | float | None]) -> dict[str, str | float]:
        """Facts to be put into a text, each written as the end of its name says: `_s`, `_at`, `_bytes`, `_share`."""
        return {name: self._fact(name, value) for name, value in facts.items()}

    def _fact(self, name: str, value: str | float | None) -> str | float:
        if value is None or isinstance(value, str):
            return DASH if value is None else value
        kinds = {"s": self.duration, "at": self.ago, "bytes": self.size, "share": self.percent}
        write = kinds.get(name.rpartition("_")[2]) if "_" in name else None
        return write(value) if write else value

    # -- lengths of time -----------------------------------------------------------------------------------

    def duration(self, seconds: float | None) -> str:
        """Its two largest units: `3d 4h`, `11m 20s`, `1.2s`, `30ms`."""
        if not _is_real(seconds):
            return DASH
        if seconds < 0:
            return f"−{self.duration(-seconds)}"
        if seconds < 0.9995:
            return self._unit("ms", _three_digits(seconds * 1000)) if seconds else self._unit("s", 0)
        if seconds < 9.95:
            return self._unit("s", _three_digits(seconds, 1))
        return self._in_units(round(seconds))

    def _in_units(self, seconds: int) -> str:
        place = next(index for index, (_, size) in enumerate(_UNITS_S) if seconds >= size)
        (name, size), *smaller = _UNITS_S[place:]
        first = self._unit(name, seconds // size)
        rest = (seconds % size) // smaller[0][1] if smaller else 0
        return self.locale("unit.join", first=first, second=self._unit(smaller[0][0], rest)) if rest else first

    def _unit(self, name: str, amount: float) -> str:
        return self.locale(f"unit.{name}", n=amount)

    def rough(self, seconds: float | None) -> str:
        """Its largest unit only, rounded down: `3d`, `11m`, `0s`."""
        if not _is_real(seconds):
            return DASH
        whole = int(abs(seconds))
        name, size = next(((name, size) for name, size in _UNITS_S if whole >= size), ("s", 1))
        return self._unit(name, whole // size)

    # -- moments ---------------------------------------------------------------------------------------------

    def ago(self, at: float | None) -> str:
        """As seen from now: `3m ago`, `in 4m`, `now`. app.js writes the same while the page stays open."""
        if not _is_moment(at):
            return DASH
        distance = self.now_s - at
        if abs(distance) < 1:
            return self.locale("now")
        return self.locale("ago" if distance > 0 else "in", t=self.rough(distance))

    def moment(self, at: float | None) -> str:
        """In full, UTC: `2026-11-22 02:44:10 UTC`."""
        return f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC" if _is_moment(at) else DASH

    def clock(self, at: float | None) -> str:
        """The time of day, UTC; with its date if that is another day than now: `02:44:10`, `11-20 02:44`."""
        if not _is_moment(at):
            return DASH
        moment = _utc(at)
        return f"{moment:%H:%M:%S}" if moment.date() == _utc(self.now_s).date() else f"{moment:%m-%d %H:%M}"

    def minute(self, at: float | None) -> str:
        """Hours and minutes, UTC: `02:44`."""
        return f"{_utc(at):%H:%M}" if _is_moment(at) else DASH

    def day(self, at: float | None) -> str:
        """The date, UTC: `2026-11-22`."""
        return f"{_utc(at):%Y-%m-%d}" if _is_moment(at) else DASH

    def iso(self, at: float | None) -> str:
        """For machines: `2026-11-22T02:44:10Z`; empty if it is none."""
        return f"{_utc(at):%Y-%m-%dT%H:%M:%SZ}" if _is_moment(at) else ""


def _is_real(value: float | None) -> TypeGuard[float]:
    # A comparison, because math.isfinite fails for an int that no float can hold; nan compares false.
    return isinstance(value, int | float) and abs(value) < _TOO_LARGE


def _is_moment(at: float | None) -> TypeGuard[float]:
    return _is_real(at) and 0 <= at < _END_OF_TIME_S


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _rounded(value: float) -> float:
    """Whole from ten on; below, one digit behind the point."""
    return round(value) if abs(value) >= 10 or value == int(value) else round(value, 1)


def _three_digits(value: float, most: int = 2) -> float:
    """No more digits than anybody reads: 1.25, 12.5, 125."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else most
    return round(value, digits if abs(value) >= 0.095 or digits == 0 else 3)
