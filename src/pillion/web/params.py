"""Query parameters: what a route takes, and the bounds of it. Pure.

Each parameter is said once, in the table of routes. Pages read it leniently, as an old link or a hand in the
address bar must not break them: what cannot be read is the default, what is too large is the most. The
JSON API reads it strictly and says what was expected (5.3 of the brief: clamps on every number).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["whole", "number", "choice", "text", "texts", "flag"]
Values = Mapping[str, Any]

# No whole number of ours has more digits: reading a million of them takes seconds.
_MOST_DIGITS = 20


class BadParam(ValueError):
    """A parameter has a value it cannot have. `name` says which, the message what was expected."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        self.name = name
        shown = got if len(got) <= 80 else f"{got[:80]}…"
        super().__init__(f"{name}: expected {expected}, got {shown!r}.")


@dataclass(slots=True, frozen=True, kw_only=True)
class Param:
    """One parameter of a route.

    `low` and `high` bound a number; `most` is the longest text in characters, for "texts" of each one, with
    at most `many` of them. `choices` are the values of a "choice". `summary` is for the OpenAPI document.
    """

    name: str
    kind: Kind
    summary: str
    default: Any = None
    low: float = -math.inf
    high: float = math.inf
    most: int = 1000
    many: int = 500
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What it takes, in words."""
        match self.kind:
            case "whole":
                return f"a whole number from {self.low:.0f} to {self.high:.0f}"
            case "number":
                return "a number"
            case "choice":
                return f"one of {', '.join(self.choices)}"
            case "flag":
                return "1 or 0"
            case "texts":
                return f"at most {self.many} texts of at most {self.most} characters"
            case _:
                return f"a text of at most {self.most} characters"

    def read(self, given: Sequence[str], *, strict: bool) -> Any:
        """The value of what came, several if it came several times. Raises BadParam if `strict`."""
        if self.kind == "texts":
            return self._texts(given, strict=strict)
        raw = given[-1] if given else ""
        if raw == "":
            return self.default
        try:
            value = self._parse(raw)
        except ValueError:
            if strict:
                raise BadParam(self.name, self.expected, raw) from None
            return self.default
        return self._bounded(value, raw, strict=strict)

    def _parse(self, raw: str) -> Any:
        match self.kind:
            case "whole":
                return _whole(raw)
            case "number":
                number = float(raw)
                if not math.isfinite(number):
                    raise ValueError(raw)
                return number
            case "choice" if raw not in self.choices:
                raise ValueError(raw)
            case "flag" if raw not in ("0", "1"):
                raise ValueError(raw)
            case "flag":
                return raw == "1"
            case _:
                return raw

    def _bounded(self, value: Any, raw: str, *, strict: bool) -> Any:
        if isinstance(value, str):
            if len(value) > self.most and strict:
                raise BadParam(self.name, self.expected, raw)
            return value[: self.most]
        clamped = min(max(value, self.low), self.high)
        if clamped != value and strict:
            raise BadParam(self.name, self.expected, raw)
        return type(value)(clamped)

    def _texts(self, given: Sequence[str], *, strict: bool) -> tuple[str, ...]:
        texts = tuple(text for text in given if text)
        fitting = tuple(text for text in texts[: self.many] if len(text) <= self.most)
        if strict and len(fitting) < len(texts):
            raise BadParam(self.name, self.expected, f"{len(texts)} texts, the longest of {max(map(len, texts))}")
        return fitting


def _whole(raw: str) -> int:
    if len(raw) > _MOST_DIGITS:
        # So large that only the bound matters; its digits are checked all the same.
        if not raw.lstrip("-").isascii() or not raw.lstrip("-").isdigit():
            raise ValueError(raw)
        return -(2**63) if raw.startswith("-") else 2**63
    return int(raw)


def read_all(params: Sequence[Param], given: Mapping[str, Sequence[str]], *, strict: bool) -> dict[str, Any]:
    """Every parameter by name. Raises BadParam if `strict`, also for a name that the route does not know."""
    if strict:
        known = {param.name for param in params}
        for name in given:
            if name not in known:
                raise BadParam(name, f"only {', '.join(sorted(known)) or 'no parameters'}", name)
    return {param.name: param.read(given.get(param.name, ()), strict=strict) for param in params}
