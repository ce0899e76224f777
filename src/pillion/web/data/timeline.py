"""What happened to a job, and when: as far as its payload and its place say. Pure.

A payload keeps the first failure and the last, and how many there were; of those between nobody knows the times.
Codes and their facts: created; scheduled (`for_s`); enqueued; started; failed (`try`, `of`); unknown_tries (`count`);
running (`process`); next_try (`try`, `of`); due; died; waiting (`position` or nothing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pillion.api.record import JobData
from pillion.web.data.models import Fact, Moment, Place
from pillion.web.data.visible import max_tries


def timeline(job: JobData, places: Sequence[Place], now_s: float) -> tuple[Moment, ...]:
    """The stations, in order; the last one is where it is now, or what comes next."""
    found = [*_past(job), *(moment for place in places for moment in _present(job, place, now_s))]
    last_at: float | None = None
    stations: list[Moment] = []
    for moment in found:
        after_s = None if moment.at is None or last_at is None else max(0.0, moment.at - last_at)
        stations.append(replace(moment, after_s=after_s))
        last_at = last_at if moment.at is None else moment.at
    return tuple(stations)


def _past(job: JobData) -> Iterator[Moment]:
    if job.created_at is not None:
        yield Moment("created", "scheduled", job.created_at)
    # A retry enters its queue again, and the time of that is all that is left of earlier ones.
    entered, failures = job.enqueued_at, _failures(job)
    moments = [moment for moment in failures if moment.at is not None]
    before = [moment for moment in failures if entered is None or moment.at is None or moment.at < entered]
    if entered is not None and not (moments and moments[0].at is not None and moments[0].at < entered):
        yield Moment("enqueued", "enqueued", entered)
        yield from failures
    elif entered is not None:
        yield from before
        yield Moment("enqueued", "enqueued", entered)
        yield from failures[len(before) :]
    else:
        yield from failures


def _failures(job: JobData) -> list[Moment]:
    """The first failure, those between of which the times are not known, the last."""
    count, limit = job.retry_count, max_tries(job)
    if count is None and job.failed_at is None:
        return []
    tries = 1 if count is None else count + 1
    found = [Moment("failed", "retrying", job.failed_at, facts=_try(1, limit))]
    if tries > 2:
        found.append(Moment("unknown_tries", "retrying", facts={"count": tries - 2}))
    if tries > 1:
        found.append(Moment("failed", "retrying", job.retried_at, facts=_try(tries, limit)))
    return found


def _try(number: int, limit: int | None) -> dict[str, Fact]:
    return {"try": number, "of": limit}


def _present(job: JobData, place: Place, now_s: float) -> Iterator[Moment]:
    is_future = place.at is not None and place.at > now_s
    if place.state == "running":
        yield Moment("running", "running", place.since, facts={"process": place.process})
    elif place.state == "enqueued":
        yield Moment("waiting", "enqueued", facts={"position": place.position, "queue": place.queue})
    elif place.state == "retrying":
        number = 1 if job.retry_count is None else job.retry_count + 2
        yield Moment("next_try", "retrying", place.at, is_future=is_future, facts=_try(number, max_tries(job)))
    elif place.state == "scheduled":
        yield Moment("due", "scheduled", place.at, is_future=is_future)
    elif place.state == "dead":
        yield Moment("died", "dead", place.at)
