"""What the verdict goes by, and the cures that its reasons offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pillion.api.redis_info import RedisSnapshot
from pillion.features.health.thresholds import Thresholds
from pillion.web.data.groups import RawGroups
from pillion.web.data.models import Cure, Mark
from pillion.web.data.overview import Overview
from pillion.web.data.pulse import Pulse

# Of reasons of one kind, so many are told one by one.
MOST_ALIKE: Final = 3


@dataclass(slots=True, frozen=True)
class Facts:
    """Everything that the rules go by. `overdue` jobs of the schedule are due for more than a minute."""

    now_s: float
    overview: Overview
    pulse: Pulse
    groups: Sequence[RawGroups]
    redis: RedisSnapshot
    marks: Sequence[Mark]
    overdue: int
    dead_max_jobs: int
    limits: Thresholds


def see(code: str, text: str, route: str, **params: str) -> Cure:
    """A link."""
    return Cure(code, text, route, params)


def do(code: str, text: str, route: str, *, fields: dict[str, str] | None = None, **params: str) -> Cure:
    """A button."""
    return Cure(code, text, route, params, "POST", fields or {})


def see_processes(explain: str = "") -> Cure:
    """The page of the processes; `explain` is a command that helps."""
    return Cure("see_processes", "See processes", "busy", explain=explain)


def see_queue(name: str) -> Cure:
    """The page of a queue."""
    return see("see_queue", "See queue", "queue", queue=name)
