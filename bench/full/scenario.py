"""What a scenario is: a name, the figures it gives, and a function that runs one contestant once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.figures import percentile
from bench.full.roster import PILLION, ROSTER, SIDEKIQ, SIDEKIQ_HIREDIS, Contestant
from bench.full.stage import Run, Stage

EVERYBODY = tuple(each.name for each in ROSTER)
MOST = tuple(name for name in EVERYBODY if name != SIDEKIQ_HIREDIS.name)
ROUND_EACH_TIME = (PILLION.name, SIDEKIQ.name, SIDEKIQ_HIREDIS.name)


@dataclass(frozen=True)
class Figure:
    """One number of a scenario. `floor` names the entry whose figure of the same name is the floor.

    `is_compared`: whether it says anything beside another's, who may have had fewer jobs. `row` names the step in whose
    row of the table it stands, where a step has more than one figure.
    """

    unit: str
    less_is_better: bool = False
    digits: int = 0
    floor: str = ""
    is_compared: bool = True
    row: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much of everything. `jobs` are the no-op jobs of a drain; the rest follows from whether it is quick."""

    jobs: int
    quick: bool

    def scaled(self, contestant: Contestant) -> int:
        """The contestant's part of the no-op jobs: fewer for the slow ones, but never very few."""
        return max(min(self.jobs, 100), int(self.jobs * contestant.scale))

    def pick(self, full: int, quick: int) -> int:
        """One of the two."""
        return quick if self.quick else full


Runner = Callable[[Stage, Contestant, Sizes], dict[str, float]]
FloorRunner = Callable[[Stage, Sizes], dict[str, float]]


@dataclass(frozen=True)
class Scenario:
    """`run` takes one contestant through it once. `floors` are measured in every round beside them.

    Pillion, Sidekiq and the floors, of which targets are made, run `rounds` times, the others `peer_rounds` times.
    `cell_s` is about what a run takes, boot and push included: the progress bar begins with it.
    """

    name: str
    title: str
    how: str
    figures: dict[str, Figure]
    run: Runner
    floors: dict[str, FloorRunner] = field(default_factory=dict)
    who: Sequence[str] = MOST
    rounds: int = 5
    peer_rounds: int = 2
    cell_s: float = 3.0

    def rounds_of(self, name: str) -> int:
        """How often somebody takes part, by default."""
        return self.rounds if name in (*ROUND_EACH_TIME, *self.floors) else self.peer_rounds


def drained(run: Run, count: int) -> float:
    """Wait for the end; seconds from the start of the first job to the end of the last, as the jobs wrote them."""
    run.wait(count)
    run.check(count)
    return max(run.ledger.last[:count]) - min(run.ledger.first[:count])


def lateness_ms(run: Run, count: int) -> dict[str, float]:
    """How much later than pushed, or than due, jobs started."""
    pairs = zip(run.ledger.first[:count], run.ledger.pushed[:count], strict=True)
    late = sorted((first - pushed) * 1000 for first, pushed in pairs)
    return {"p50": percentile(late, 0.5), "p99": percentile(late, 0.99)}
