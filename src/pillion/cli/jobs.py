"""`pillion jobs`: find jobs wherever they wait, and retry, kill or delete those that are meant."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from pillion.cli.choosing import QUEUE_PREFIX, SETS, Choice, born_at, choosing_options, label, places
from pillion.cli.jobs_actions import act, yes_option
from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import UNKNOWN, Column, duration, print_table

if TYPE_CHECKING:
    from pillion.api.fleet import Fleet
    from pillion.api.queues import Queue
    from pillion.api.record import JobData
    from pillion.cli.choosing import Place

_COLUMNS = (
    Column("Place"),
    Column("When", right=True),
    Column("Class"),
    Column("Arguments"),
    Column("Error"),
    Column("Jid", whole=True),
)
_MOST_SHOWN = 60
_JID = re.compile(r"[0-9a-f]{24}")


@click.group("jobs")
def command() -> None:
    """Find jobs that wait, and retry, kill or delete them.

    \b
    Examples:
      pillion jobs find 9922ab488a26202ca88dcdde
      pillion jobs find --class shop.jobs.Charge --in retry --in dead
      pillion jobs retry --in dead --error-class TimeoutError --newer-than 2h
      pillion jobs kill --class shop.jobs.Newsletter
      pillion jobs delete --in queue:low --tag trial

    `pillion undo` puts back what was deleted from the sets.
    """


@command.command("find", short_help="Show those that fit, wherever they wait.")
@choosing_options
@click.option("--limit", type=click.IntRange(1), default=25, show_default=True, help="Stop after so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, with the whole payload.")
@redis_options
def find(*, limit: int, as_json: bool, config_file: str | None, environment: str | None, **given: Any) -> None:
    """Show the jobs that fit, wherever they wait: in retry, dead, scheduled and every queue.

    Several options must all fit; one that is given several times must fit once. The age of --older-than
    and --newer-than counts from the first failure, else from the entry into the queue.
    """
    choice = Choice.of(given)
    with open_fleet(config_file, environment) as fleet:
        chosen = places(choice, fleet, SETS, (*SETS, QUEUE_PREFIX))
        if not choice.places:
            chosen += _queues(fleet)
        hits = islice(_hits(chosen, choice), limit)
        if as_json:
            for hit in hits:
                click.echo(json.dumps(_as_object(*hit), allow_nan=False))
            return
        found = list(hits)
    if not found:
        click.echo("No job fits.")
        if hint := _why_none(choice):
            click.echo(hint, err=True)
        return
    print_table(_COLUMNS, [_row(place, job, time.time()) for place, job in found])
    if len(found) == limit:
        click.echo(f"These are the first {limit}; --limit shows more.", err=True)


@command.command("retry", short_help="Push them to their queues now.")
@choosing_options
@yes_option
@redis_options
def retry(*, yes: bool, config_file: str | None, environment: str | None, **given: Any) -> None:
    """Push jobs to their queues now: of the retry and the dead set, or with --in scheduled of the schedule.

    A job that had no retry left gets one more.
    """
    act("retry", Choice.of(given), config_file, environment, yes=yes)


@command.command("kill", short_help="Move them to the dead set.")
@choosing_options
@yes_option
@redis_options
def kill(*, yes: bool, config_file: str | None, environment: str | None, **given: Any) -> None:
    """Move jobs to the dead set: of the retry set, or with --in scheduled of the schedule.

    They are not tried again by themselves; `pillion jobs retry --in dead` brings them back.
    """
    act("kill", Choice.of(given), config_file, environment, yes=yes)


@command.command("delete", short_help="Delete them, from where --in says.")
@choosing_options
@yes_option
@redis_options
def delete(*, yes: bool, config_file: str | None, environment: str | None, **given: Any) -> None:
    """Delete jobs; --in says where.

    From retry, dead and scheduled it can be undone for a day with `pillion undo`. From a queue it cannot.
    """
    act("delete", Choice.of(given), config_file, environment, yes=yes)


def _why_none(choice: Choice) -> str:
    """What was probably meant instead, or nothing: names are compared as a whole."""
    if words := [jid for jid in choice.jids if not _JID.fullmatch(jid)]:
        return f"A word alone is a jid. For a class: --class shop.jobs.Charge; for text anywhere: --text {words[0]}"
    if short := [name for name in choice.classes if "." not in name and "::" not in name]:
        return f"A class has its whole name here, such as shop.jobs.{short[0]}; `pillion failures` shows them."
    return ""


def _queues(fleet: Fleet) -> list[Queue]:
    """All there are, those too whose names cannot be given to --in: Ruby takes any."""
    from pillion.api.queues import Queue

    return Queue.all(fleet)


def _hits(chosen: Iterable[Place], choice: Choice) -> Iterator[tuple[Place, JobData]]:
    wanted = choice.filter(time.time())
    for place in chosen:
        for job in place:
            if wanted.matches(job):
                yield place, job


# -- showing -----------------------------------------------------------------------------------------


def _row(place: Place, job: JobData, now_s: float) -> tuple[str, ...]:
    arguments = json.dumps(job.display_args, ensure_ascii=False)[1:-1]
    error = ": ".join(part for part in (job.error_class, job.error_message) if part)
    name = job.display_class or "(unreadable)"
    return (label(place), _when(job, now_s), name, _short(arguments), _short(error) or UNKNOWN, job.jid or UNKNOWN)


def _when(job: JobData, now_s: float) -> str:
    """When it is due, or how long ago it died or entered its queue."""
    at_s = getattr(job, "score", None)
    at_s = born_at(job) if at_s is None else at_s
    away = UNKNOWN if at_s is None else duration(abs(at_s - now_s))
    if at_s is None or away == UNKNOWN:
        return UNKNOWN
    return f"in {away}" if at_s > now_s else f"{away} ago"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN or not sys.stdout.isatty() else f"{text[:_MOST_SHOWN]}…"


def _as_object(place: Place, job: JobData) -> dict[str, Any]:
    score = getattr(job, "score", None)
    at_s = score if score is not None and math.isfinite(score) else None  # JSON has no word for infinity
    shown: dict[str, Any] = {"place": label(place), "at": at_s}
    if job.is_readable:
        return {**shown, "job": job.item}
    return {**shown, "job": None, "unreadable": job.value.decode(errors="replace")}
