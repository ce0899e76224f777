"""What an assessment found, in words."""

from __future__ import annotations

import linecache
from dataclasses import dataclass

from pillion.testing.crash.lines import Spot

_LINES_BEFORE, _LINES_AFTER = 4, 2


@dataclass(slots=True, frozen=True)
class CrashReport:
    """An assessment that found nothing wrong: the job was stopped at each of these spots, and run twice."""

    job: str
    spots: tuple[Spot, ...]

    @property
    def lines(self) -> list[int]:
        """The numbers of the lines before which the job was stopped."""
        return sorted({spot.line for spot in self.spots})

    def __str__(self) -> str:
        return f"{self.job} survived {len(self.spots)} crashes, and being run twice."


class CrashFailure(AssertionError):
    """A job that leaves a wrong state when it is stopped and run again.

    `spot` is where it was stopped; None if it was not: if it is wrong even when it runs once, or twice.
    """

    def __init__(self, message: str, spot: Spot | None = None) -> None:
        self.spot = spot
        super().__init__(message)


def source_around(spot: Spot) -> str:
    """The lines around a spot, with an arrow at the one that did not run."""
    shown: list[str] = []
    for number in range(max(1, spot.line - _LINES_BEFORE), spot.line + _LINES_AFTER + 1):
        text = linecache.getline(spot.path, number).rstrip()
        if number == spot.line:
            shown.append(f"  -> {number:4} {text}{_mark(spot)}")
        elif text or number < spot.line:
            shown.append(f"     {number:4} {text}".rstrip())
    return f"  {spot.path}, {spot.function}\n" + "\n".join(shown)


def _mark(spot: Spot) -> str:
    times = "" if spot.hit == 1 else f", when it came here for the {ordinal(spot.hit)} time"
    return f"    <- killed before this line ran{times}"


def ordinal(number: int) -> str:
    """2nd, 3rd, 4th."""
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
