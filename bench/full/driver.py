"""The rounds: every contestant once, then again in the opposite order, until all figures are there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.full.record import Entry, Record
from bench.full.roster import Contestant
from bench.full.scenario import Scenario, Sizes
from bench.full.stage import RunFailed, Stage, tail

FAILURES = (RunFailed, SystemExit, subprocess.SubprocessError, OSError, ValueError, KeyError)


class Driver:
    """Takes contestants through scenarios, and leaves out what has been measured before."""

    def __init__(self, stage: Stage, sizes: Sizes, rounds: int, contestants: Sequence[Contestant]) -> None:
        self.stage, self.sizes, self.rounds, self.contestants = stage, sizes, rounds, contestants

    def measure(self, record: Record) -> None:
        """All rounds of a scenario."""
        scenario = record.scenario
        for number in range(min(self.rounds, scenario.most_rounds)):
            taking_part = [each for each in self.contestants if each.name in scenario.who]
            if not taking_part:
                return
            for name in scenario.floors:
                self._one(record, number, name, None)
            for each in taking_part if number % 2 == 0 else reversed(taking_part):
                self._one(record, number, each.name, each)

    def _one(self, record: Record, number: int, name: str, contestant: Contestant | None) -> None:
        if record.has(number, name):
            return
        began = time.monotonic()
        entry = self._entry(record.scenario, name, contestant)
        record.put(number, name, entry)
        took = f"{time.monotonic() - began:5.1f} s"
        print(f"{record.scenario.name:15} round {number + 1}  {name:16} {took}  {shown(entry)}", file=sys.stderr)

    def _entry(self, scenario: Scenario, name: str, contestant: Contestant | None) -> Entry:
        if contestant and scenario.name in contestant.lacks:
            return {"lacks": contestant.lacks[scenario.name]}
        try:
            if contestant:
                return dict(scenario.run(self.stage, contestant, self.sizes))
            return dict(scenario.floors[name](self.stage, self.sizes))
        except FAILURES as error:
            return {"error": f"{type(error).__name__}: {tail(str(error))}"}


def shown(entry: Entry) -> str:
    """In one line."""
    if "error" in entry or "lacks" in entry:
        return next(f"{kind}: {text}" for kind, text in entry.items())
    return "  ".join(
        f"{name} {value:,.4g}" if value < 1000 else f"{name} {value:,.0f}" for name, value in entry.items()
    )
