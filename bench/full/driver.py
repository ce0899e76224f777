"""The rounds: every contestant once, then again in the opposite order, until all figures are there."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.full.progress import Screen
from bench.full.record import Entry, Record
from bench.full.roster import Contestant
from bench.full.scenario import Scenario, Sizes
from bench.full.stage import RunFailed, Stage, tail

FLOOR_S = 1.3
FAILURES = (RunFailed, SystemExit, subprocess.SubprocessError, OSError, ValueError, KeyError)


@dataclass(frozen=True)
class Cell:
    """One run: who, in which round of which scenario. A floor has no contestant."""

    record: Record
    number: int
    name: str
    contestant: Contestant | None

    @property
    def expected_s(self) -> float:
        """About how long it takes. Floors are quick."""
        scenario = self.record.scenario
        if self.contestant is None:
            return FLOOR_S
        return 0.0 if scenario.name in self.contestant.lacks else scenario.cell_s


def cells(records: Sequence[Record], contestants: Sequence[Contestant], rounds: int | None) -> list[Cell]:
    """All runs that are still to be made, in their order. `rounds` is for everybody; None: as each scenario has it."""
    found = (cell for record in records for cell in _of_one(record, contestants, rounds))
    return [cell for cell in found if not cell.record.has(cell.number, cell.name)]


def _of_one(record: Record, contestants: Sequence[Contestant], rounds: int | None) -> Iterator[Cell]:
    scenario = record.scenario
    taking_part = [each for each in contestants if each.name in scenario.who]
    most = min(rounds, scenario.rounds) if rounds and scenario.rounds == 1 else rounds or scenario.rounds
    for number in range(most if taking_part else 0):
        for name in scenario.floors:
            yield Cell(record, number, name, None)
        for each in taking_part if number % 2 == 0 else reversed(taking_part):
            if rounds or number < scenario.rounds_of(each.name):
                yield Cell(record, number, each.name, each)


class Driver:
    """Takes contestants through scenarios."""

    def __init__(self, stage: Stage, sizes: Sizes, screen: Screen) -> None:
        self._stage, self._sizes, self._screen = stage, sizes, screen

    def measure(self, cell: Cell) -> None:
        """One run, kept at once."""
        scenario = cell.record.scenario
        self._screen.now(f"{scenario.name}, round {cell.number + 1}, {cell.name}")
        began = time.monotonic()
        entry = self._entry(scenario, cell)
        cell.record.put(cell.number, cell.name, entry)
        line = f"{scenario.name:14} {cell.number + 1}  {cell.name:15} {time.monotonic() - began:5.1f} s  {shown(entry)}"
        self._screen.done(cell.expected_s, line)

    def _entry(self, scenario: Scenario, cell: Cell) -> Entry:
        contestant = cell.contestant
        if contestant and scenario.name in contestant.lacks:
            return {"lacks": contestant.lacks[scenario.name]}
        try:
            if contestant:
                return dict(scenario.run(self._stage, contestant, self._sizes))
            return dict(scenario.floors[cell.name](self._stage, self._sizes))
        except FAILURES as error:
            return {"error": f"{type(error).__name__}: {tail(str(error))}"}


def shown(entry: Entry) -> str:
    """In one line."""
    if "error" in entry or "lacks" in entry:
        return next(f"{kind}: {text}" for kind, text in entry.items())
    return "  ".join(
        f"{name} {value:,.4g}" if value < 1000 else f"{name} {value:,.0f}" for name, value in entry.items()
    )
