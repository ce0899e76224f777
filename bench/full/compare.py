"""Two runs side by side: do their ratios agree?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.full.record import Record
from bench.full.report import Table
from bench.full.roster import PILLION
from bench.full.scenario import Sizes
from bench.full.scenarios import ALL
from bench.full.targets import measured

AGREED = 0.20


@dataclass(frozen=True)
class Twice:
    """A ratio in both runs."""

    what: str
    one: float
    other: float

    @property
    def difference(self) -> float:
        """How much larger the larger one is: 0.2 is 20 %."""
        low, high = sorted((abs(self.one), abs(self.other)))
        return high / low - 1 if low else float(high > low)


def loaded(folder: Path) -> list[Record]:
    """All that a run has kept."""
    records = [Record(folder, each, Sizes(jobs=0, quick=False)).load() for each in ALL]
    return [record for record in records if record.rounds]


def ratios(one: Sequence[Record], other: Sequence[Record]) -> list[Twice]:
    """Pillion over everybody else: the figure that each scenario is about, each step where it has steps."""
    found: list[Twice] = []
    for record in one:
        again = next((each for each in other if each.scenario is record.scenario), None)
        if again is None:
            continue
        figures = [name for name, about in record.scenario.figures.items() if not about.row]
        for figure in figures if len(record.scenario.who) == 2 else figures[:1]:
            for name in record.names():
                both = [_ratio(each, name, figure) for each in (record, again)]
                if name != PILLION.name and both[0] is not None and both[1] is not None:
                    found.append(Twice(f"{record.scenario.name} {figure}: {name}", both[0], both[1]))
    return found


def _ratio(record: Record, name: str, figure: str) -> float | None:
    pairs = record.pairs(PILLION.name, name, figure)
    found = [ours / theirs for ours, theirs in pairs if min(ours, theirs) > 0]
    return statistics.median(found) if found else None


def goals(one: Sequence[Record], other: Sequence[Record]) -> list[Twice]:
    """The figures to reach that a run of the bench measures: those of chaos are the same for both."""
    again = {target.what: target.median for target in measured(other)}
    pairs = [(target, again.get(target.what)) for target in measured(one)]
    return [Twice(t.what, t.median, other) for t, other in pairs if t.median is not None and other is not None]


def table(heading: str, found: Sequence[Twice]) -> Table:
    """Those that differ most come first."""
    rows = [
        [each.what, f"{each.one:,.3g}", f"{each.other:,.3g}", f"{100 * each.difference:.0f} %"]
        for each in sorted(found, key=lambda each: -each.difference)
    ]
    return Table(heading, ["", "first run", "second run", "difference"], rows)


def summary(found: Sequence[Twice]) -> str:
    """In one sentence."""
    if not found:
        return "The two runs have nothing in common."
    worst = max(found, key=lambda each: each.difference)
    agree = sum(each.difference <= AGREED for each in found)
    return (
        f"{agree} of {len(found)} ratios agree within {100 * AGREED:.0f} %; the largest difference is "
        f"{100 * worst.difference:.0f} % ({worst.what}: {worst.one:,.3g} and {worst.other:,.3g})."
    )
