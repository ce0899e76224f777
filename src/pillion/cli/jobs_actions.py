"""What `pillion jobs` does to many jobs: look how many, ask, do it with a bar, tell what came of it."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pillion.cli.choosing import QUEUE_PREFIX, Choice, label, places, require_narrow
from pillion.cli.progress import progress_bar
from pillion.cli.redis_options import open_fleet
from pillion.cli.tables import clean, jobs, number

if TYPE_CHECKING:
    from pillion.api.bulk import Progress, Result
    from pillion.api.filters import Filter
    from pillion.api.fleet import Fleet
    from pillion.cli.choosing import Place

F = TypeVar("F", bound=Callable[..., Any])

EXIT_REFUSED: Final = 1
EXIT_INTERRUPTED: Final = 130
_MOST_KINDS = 5


@dataclass(slots=True, frozen=True)
class Verb:
    """An action: where it can be done, where it is done if nothing is said, and its words."""

    allowed: tuple[str, ...]
    default: tuple[str, ...]
    done: str


_VERBS: Final = {
    "retry": Verb(("retry", "dead", "scheduled"), ("retry", "dead"), "pushed to their queues"),
    "kill": Verb(("retry", "scheduled"), ("retry",), "moved to the dead set"),
    "delete": Verb(("retry", "dead", "scheduled", QUEUE_PREFIX), (), "deleted"),
}


def yes_option(function: F) -> F:
    """Give a command the option --yes."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(function)


def act(name: str, choice: Choice, config_file: str | None, environment: str | None, *, yes: bool) -> None:
    """Carry out `pillion jobs NAME`; exits with 1 if some jobs were refused."""
    verb = _VERBS[name]
    require_narrow(choice)
    if not choice.places and not verb.default:
        raise click.UsageError("Say where: --in retry, dead, scheduled or queue:NAME.")
    with open_fleet(config_file, environment) as fleet:
        chosen = places(choice, fleet, verb.default, verb.allowed)
        wanted = choice.filter(time.time())
        counts = [(place, _count(place, wanted)) for place in chosen]
        if not sum(kinds.total() for _, kinds in counts):
            click.echo("No job fits.")
            return
        if name == "kill":
            _tell_of_trimming(fleet, sum(kinds.total() for _, kinds in counts))
        _ask(name, counts, yes=yes)
        results = [_do(name, place, wanted, verb) for place, kinds in counts if kinds]
    if any(result.refused for result in results):
        sys.exit(EXIT_REFUSED)


# -- before ------------------------------------------------------------------------------------------


def _count(place: Place, wanted: Filter) -> Counter[str]:
    """How many jobs fit, by class."""
    kinds: Counter[str] = Counter()
    with progress_bar(f"Looking through {label(place)}") as show:
        total = place.size()
        for done, job in enumerate(place, start=1):
            if wanted.matches(job):
                kinds[job.display_class or "(unreadable)"] += 1
            if done % 1000 == 0:
                show(done, max(total, done))
    return kinds


def _tell_of_trimming(fleet: Fleet, more: int) -> None:
    """Say how many of the dead will be too many: they go for good, and no undo brings them back."""
    from pillion.api.sets import DeadSet

    room = fleet.config.dead_max_jobs - 1  # as Sidekiq trims
    over = DeadSet(fleet=fleet).size() + more - room
    if over > 0:
        told = f"The dead set keeps the newest {number(room)} (dead_max_jobs): {jobs(over)} will be deleted for good."
        click.echo(told, err=True)


def _ask(name: str, counts: Iterable[tuple[Place, Counter[str]]], *, yes: bool) -> None:
    for place, kinds in counts:
        if kinds:
            click.echo(f"{label(place)}: {jobs(kinds.total())} to {name}: {_kinds(kinds)}", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"Nobody is there to ask whether to {name} these: say --yes if they are meant.")
    click.confirm("Go on?", abort=True, err=True)


def _kinds(kinds: Counter[str]) -> str:
    told = [f"{number(count)} {clean(kind)}" for kind, count in kinds.most_common(_MOST_KINDS)]
    rest = kinds.total() - sum(count for _, count in kinds.most_common(_MOST_KINDS))
    return ", ".join(told + ([f"{number(rest)} others"] if rest else []))


# -- doing -------------------------------------------------------------------------------------------


def _do(name: str, place: Place, wanted: Filter, verb: Verb) -> Result:
    try:
        with progress_bar(f"{name.capitalize()}, {label(place)}") as progress:
            result = _carry_out(name, place, wanted, progress)
    except KeyboardInterrupt:
        click.echo("Stopped. What was done is done, every job is in one place; the same command does the rest.")
        sys.exit(EXIT_INTERRUPTED)
    _tell(label(place), result, verb)
    return result


def _carry_out(name: str, place: Any, wanted: Filter, progress: Progress) -> Result:
    from pillion.api.queues import Queue
    from pillion.api.sets import ScheduledSet

    if isinstance(place, Queue):
        return _delete_from_queue(place, wanted, progress)
    method = "add_to_queue" if name == "retry" and isinstance(place, ScheduledSet) else name
    result: Result = getattr(place, method)(wanted, progress=progress)
    return result


def _delete_from_queue(queue: Any, wanted: Filter, progress: Progress) -> Result:
    from pillion.api.bulk import Result

    result, size = Result(), queue.size()
    for job in queue:
        result.scanned += 1
        progress(result.scanned, max(size, result.scanned))
        if wanted.matches(job):
            result.matched += 1
            if job.delete():
                result.moved += 1
            else:
                result.gone += 1
    return result


def _tell(where: str, result: Result, verb: Verb) -> None:
    told = f"{where}: {jobs(result.moved)} {verb.done}"
    if result.gone:
        told += f", {number(result.gone)} had gone meanwhile"
    if result.undo_id is not None:
        told += f"; `pillion undo {result.undo_id}` puts them back, until tomorrow"
    click.echo(f"{told}.")
    for why, count in result.reasons.most_common():
        click.echo(f"  {number(count)} left as they are: {clean(why)}", err=True)
