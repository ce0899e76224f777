"""Failures: what fails, how often and since when, grouped by class and error (F204, F211)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.plan import Plan, ask_all
from pillion.api.ranking import WALK_COMMANDS, Walker
from pillion.api.record import JobData
from pillion.errors import ConfigError
from pillion.storage.ops import sets as ops
from pillion.wire import keys

Key = Literal["class", "error", "queue"]
Progress = Callable[[int, int], None]

KEYS: Final[tuple[Key, ...]] = ("class", "error", "queue")


@dataclass(slots=True)
class FailureGroup:
    """Jobs that failed alike. `key` has a value for each thing that they were grouped by.

    `retry` of them are tried again, `dead` are not. `first_at` is the first failure of any of them and
    `last_at` the latest (epoch seconds; None: no payload says). `jid` and `message` are of the job that
    failed last.
    """

    key: tuple[str, ...]
    retry: int = 0
    dead: int = 0
    first_at: float | None = None
    last_at: float | None = None
    jid: str = ""
    message: str = ""

    @property
    def count(self) -> int:
        """All of them."""
        return self.retry + self.dead

    def add(self, job: JobData, set_name: str) -> None:
        """Count one job of that set in."""
        if set_name == keys.DEAD:
            self.dead += 1
        else:
            self.retry += 1
        first = job.failed_at
        last = job.retried_at if job.retried_at is not None else first
        if first is not None:
            self.first_at = first if self.first_at is None else min(self.first_at, first)
        if self.last_at is None or (last is not None and last > self.last_at):
            self.last_at = last
            self.jid, self.message = job.jid, job.error_message or ""


class Failures:
    """What fails: `Failures().groups()`. Parameter: `fleet` says which Redis, by default that of this process."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call(*WALK_COMMANDS, "ZCARD", cost="O(N), N = jobs in the retry and the dead set", trips="1 for every 1000 jobs")
    def groups(
        self,
        by: Iterable[Key] = ("class", "error"),
        *,
        sets: Iterable[str] = (keys.RETRY, keys.DEAD),
        progress: Progress | None = None,
    ) -> Plan[list[FailureGroup]]:
        """Every job of these sets, grouped; the largest group first.

        `by` is one or more of "class" (as shown, inside a wrapper), "error" (its class) and "queue"; `sets`
        are "retry" and "dead". Memory grows with the number of groups, not of jobs.
        `progress(looked_at, size)` is called after each page. Raises ConfigError for other names.
        """
        wanted, names = _known("by", by, KEYS), _known("sets", sets, (keys.RETRY, keys.DEAD))
        total = sum((yield from ask_all([ops.size(name) for name in names])))
        groups: dict[tuple[str, ...], FailureGroup] = {}
        done = 0
        for name in names:
            walker = Walker(name, "asc")
            while not walker.finished:
                page = yield from walker.next()
                for scored in page:
                    job = JobData(scored.member)
                    key = _key(job, wanted)
                    groups.setdefault(key, FailureGroup(key)).add(job, name)
                done += len(page)
                if progress is not None:
                    progress(done, max(done, total))
        return sorted(groups.values(), key=lambda group: (-group.count, group.key))


def _key(job: JobData, by: tuple[str, ...]) -> tuple[str, ...]:
    values = {"class": job.display_class, "error": job.error_class or "", "queue": job.queue}
    return tuple(values[each] for each in by)


def _known(option: str, given: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not set(names) <= set(known) or len(set(names)) < len(names):
        raise ConfigError(option, f"one or more of {', '.join(known)}, each once", names)
    return names
