"""What happens when: the whole schedule is a pure function of the seed, the length and the variant.

Which process is hit is part of it as far as it can be: an event says which family, and `pick` chooses among the
processes that the family has by then.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

# Longer than a lease (30 s), two looks of a reaper (6 s), and the pause between its sweeps (18 s).
PAST_A_LEASE_S = 58.0
FAMILIES = ("east", "west")
QUEUES = ("critical", "default", "low")


@dataclass(frozen=True, slots=True)
class Event:
    """`what` happens `at` so many seconds after the start, to `target`, for `lasts` seconds. `pick` is 0..1."""

    at: float
    what: str
    target: str = ""
    lasts: float = 0.0
    pick: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.lasts:.1f} s" if self.lasts else ""
        return f"{self.at:6.1f}  {self.what} {self.target}{lasts}".rstrip()


@dataclass(frozen=True, slots=True)
class Kind:
    """How often (a weight) something happens, to what, and for how long."""

    what: str
    weight: int
    targets: tuple[str, ...] = ("",)
    lasts: tuple[float, float] = (0.0, 0.0)


# Without a duration, what is killed or stopped is replaced as it would be in production.
PROCESSES = (
    Kind("kill worker", 8, FAMILIES),
    Kind("kill family", 3, FAMILIES, (0.0, 4.0)),
    Kind("kill supervisor", 2, FAMILIES),
    Kind("freeze the scheduler", 1, ("",), (16.0, 22.0)),  # its lock ends after 15 s
    Kind("kill the scheduler", 3),
    Kind("kill producer", 3, ("sync", "async", "bulk", "scheduled", "ruby")),
    Kind("stop worker", 2, FAMILIES),
    Kind("stop family", 2, FAMILIES),
    Kind("stop ruby", 1),
    Kind("freeze worker", 3, FAMILIES, (0.5, 8.0)),
    Kind("freeze supervisor", 2, FAMILIES, (1.0, 8.0)),
    Kind("freeze family", 1, FAMILIES, (1.0, 6.0)),
    Kind("step clock", 4, FAMILIES, (1.0, 8.0)),
)
JOBS = (
    Kind("pause queue", 3, QUEUES, (2.0, 8.0)),
    Kind("bulk retry", 2),
    Kind("kill bulk retry", 3, ("",), (0.2, 0.9)),
    Kind("push poison", 4),
)
LINES = (Kind("kill connections", 4),)
REDIS = (
    Kind("restart redis", 3, ("redis",), (0.0, 3.0)),
    Kind("freeze redis", 2, ("redis",), (0.5, 6.0)),
    Kind("fill memory", 2, ("redis",), (2.0, 5.0)),
    Kind("slow line", 3, ("line",), (2.0, 6.0)),
    Kind("reset line", 3, ("line",)),
    Kind("swallow replies", 4, ("line",)),
)
SENTINEL = (Kind("fail over", 6, ("redis",), (0.0, 0.0)),)
WEB = (Kind("kill web", 3, ("web",), (0.0, 4.0)), Kind("freeze web", 1, ("web",), (0.5, 6.0)))
# Time for a family to come back before the next thing happens to it.
RECOVERS_S = {"kill family": 5.0, "stop family": 8.0, "kill supervisor": 8.0, "restart redis": 3.0, "fail over": 12.0}


def plan(seed: int, seconds: float, *, sentinel: bool = False) -> list[Event]:
    """The events of a run, in order of time."""
    rng = random.Random(f"{seed}/{sentinel}")
    kinds = (*PROCESSES, *JOBS, *LINES, *(SENTINEL if sentinel else REDIS))
    events = _long_ones(rng, seconds, sentinel=sentinel)
    at = rng.uniform(1.0, 3.0)
    while at < seconds - 2:
        kind = rng.choices(kinds, [kind.weight for kind in kinds])[0]
        event = Event(
            round(at, 2), kind.what, rng.choice(kind.targets), round(rng.uniform(*kind.lasts), 2), rng.random()
        )
        if not any(_clash(event, other) for other in events):
            events.append(event)
        at += rng.uniform(0.6, 3.0)
    return sorted([*events, *_of_the_dashboard(seed, seconds)], key=lambda event: event.at)


def calm(seed: int, seconds: float) -> list[Event]:
    """Nothing but deaths, far enough apart that each is got over: for figures on recovery.

    First the host of one family is lost, twice. Then a worker of the other is killed again and again: not before,
    for some worker must live long enough to trust the leases (server/reaper.py).
    """
    rng = random.Random(f"{seed}/calm")
    lost, killed = rng.sample(FAMILIES, 2)
    events: list[Event] = []
    for at in (35.0, 35.0 + PAST_A_LEASE_S + 15.0):
        events += [Event(at - 0.5, "push long jobs"), Event(at, "lose host", lost, PAST_A_LEASE_S, rng.random())]
    at = events[-1].at + PAST_A_LEASE_S + 5.0
    while at < seconds - 3:
        events.append(Event(round(at, 2), "kill worker", killed, 0.0, rng.random()))
        at += rng.uniform(2.5, 4.0)
    return events


def _of_the_dashboard(seed: int, seconds: float) -> list[Event]:
    """Drawn apart: nothing else of a seed changes by them, and they clash with nothing, as they hit nobody else."""
    rng = random.Random(f"{seed}/web")
    found: list[Event] = []
    at = rng.uniform(5.0, 15.0)
    while at < seconds - 2:
        kind = rng.choices(WEB, [kind.weight for kind in WEB])[0]
        found.append(Event(round(at, 2), kind.what, "web", round(rng.uniform(*kind.lasts), 2)))
        at += rng.uniform(10.0, 25.0)
    return found


def _long_ones(rng: random.Random, seconds: float, *, sentinel: bool) -> list[Event]:
    """What lasts longer than a lease: one in a run of two minutes, and each kind in one of five."""
    kinds = ["freeze family", "lose host", *([] if sentinel else ["freeze redis"])]
    rng.shuffle(kinds)
    found: list[Event] = []
    begin = 8.0
    for what in kinds[: max(0, int((seconds - 10) // (PAST_A_LEASE_S + 20)))]:
        target = "redis" if what == "freeze redis" else rng.choice(FAMILIES)
        lasts = 34.0 if what == "freeze redis" else PAST_A_LEASE_S
        found.append(Event(round(begin + rng.uniform(0, 8), 2), what, target, lasts, rng.random()))
        begin += lasts + 20.0
    return found


def _clash(event: Event, other: Event) -> bool:
    """Whether two events would get into each other's way: the same target, before it has recovered."""
    if not event.target or event.target != other.target:
        # While a family sleeps past its lease Redis must answer, else nobody would trust leases at all.
        shadow = "redis" in (event.target, other.target) and max(event.lasts, other.lasts) >= PAST_A_LEASE_S
        if not shadow:
            return False
    return event.at < _until(other) and other.at < _until(event)


def _until(event: Event) -> float:
    return event.at + event.lasts + RECOVERS_S.get(event.what, 2.0)
