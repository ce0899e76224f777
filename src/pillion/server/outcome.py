"""Outcome: how one run of a job ended. `Settlement` carries out each; nothing else removes a job.

| outcome     | where the job is afterwards                    | processed | failed |
|-------------|------------------------------------------------|-----------|--------|
| Done        | nowhere: it is finished                        | +1        |        |
| Retry       | `retry`, due at `at_s`                         | +1        | +1     |
| Dead        | `dead`                                         | +1        | +1     |
| Discard     | nowhere: it may not be tried again             | +1        | +1     |
| Reschedule  | its queue, behind all waiting work; `schedule` | +1        |        |
| Malformed   | `dead`, byte for byte: it never was a job      |           |        |
| Broken      | `dead`, byte for byte: we failed, not the job  |           |        |
| Abandoned   | in flight, until it is handed back unchanged   |           |        |
| Running     | in flight, running on the event loop           |           |        |

The counting is Sidekiq's (wire-format 6), but for Reschedule: Sidekiq counts an interrupted job as
failed, which makes a healthy deploy look like an incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, frozen=True)
class Done:
    """The job ran to its end."""


@dataclass(slots=True, frozen=True)
class Retry:
    """The job failed and is tried again at `at_s` (epoch seconds)."""

    payload: bytes
    at_s: float
    error: BaseException


@dataclass(slots=True, frozen=True)
class Dead:
    """The job failed and is kept in the dead set. `job` is what the death handlers are given."""

    payload: bytes
    job: dict[str, Any]
    error: BaseException


@dataclass(slots=True, frozen=True)
class Discard:
    """The job failed and is dropped: `retry: false`, `dead: false` or its own wish."""

    job: dict[str, Any]
    error: BaseException


@dataclass(slots=True, frozen=True)
class Reschedule:
    """The job stopped on purpose and goes to the end of `queue`: now, or at `at_s` (epoch seconds)."""

    queue: str
    payload: bytes
    at_s: float | None = None


@dataclass(slots=True, frozen=True)
class Malformed:
    """What was fetched is not a job."""

    error: BaseException


@dataclass(slots=True, frozen=True)
class Broken:
    """The engine itself, or what an application or a feature hung into it, failed on this job.

    Left in flight it would be seen by nobody until the process ends, and then be run again.
    """

    error: BaseException


@dataclass(slots=True, frozen=True)
class Abandoned:
    """The process is stopping and has not let the job finish."""


@dataclass(slots=True, frozen=True)
class Running:
    """The job has gone on to the event loop. When it ends there it gets an outcome of its own."""


Outcome = Done | Retry | Dead | Discard | Reschedule | Malformed | Broken | Abandoned | Running

DONE = Done()
ABANDONED = Abandoned()
RUNNING = Running()
