"""`pillion queues`: list them, pause and resume them, clear one, move the jobs of one to another."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from pillion.cli.progress import progress_bar
from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import Column, clean, duration, jobs, number, print_table

if TYPE_CHECKING:
    from pillion.api.fleet import Fleet
    from pillion.api.queues import Queue
    from pillion.api.stats import QueueSummary

_COLUMNS = (
    Column("Queue"),
    Column("Size", right=True),
    Column("Latency", right=True),
    Column("Processes", right=True),
    Column("State"),
)


class Queues(click.Group):
    """What is done to queues; if nothing is said, they are listed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` in front of options that have no command."""
        names_none = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if names_none else args)


@click.group("queues", cls=Queues)
def command() -> None:
    """List the queues; pause, resume, clear them; move their jobs. Without a command: `list`.

    \b
    Examples:
      pillion queues
      pillion queues --json
      pillion queues pause mailers
      pillion queues resume --all
      pillion queues clear low
      pillion queues migrate old new
    """


@command.command("list", short_help="List them (the default).")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@redis_options
def show(*, as_json: bool, config_file: str | None, environment: str | None) -> None:
    """List the queues: jobs that wait, the age of the oldest, the processes that serve it, whether it is paused."""
    from pillion.api.processes import ProcessSet
    from pillion.api.stats import Stats

    with open_fleet(config_file, environment) as fleet:
        summaries = Stats(fleet=fleet).queue_summaries()
        serving = Counter(name for process in ProcessSet(fleet=fleet) for name in set(process.queues))
    if as_json:
        click.echo(json.dumps([_as_object(queue, serving[queue.name]) for queue in summaries], indent=2))
    elif not summaries:
        click.echo("There are no queues: nothing was pushed to this Redis yet.")
    else:
        print_table(_COLUMNS, [_row(queue, serving[queue.name]) for queue in summaries])


@command.command("pause")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Every queue there is.")
@redis_options
def pause(*, names: Sequence[str], everyone: bool, config_file: str | None, environment: str | None) -> None:
    """Let workers start no jobs of these queues until `resume`. What runs goes on; pushing goes on.

    All Pillion workers obey, and so does Sidekiq Pro; workers of the free Sidekiq do not know pausing.
    """
    with open_fleet(config_file, environment) as fleet:
        chosen = _chosen(fleet, names, everyone=everyone)
        _tell_unknown(fleet, [queue.name for queue in chosen])
        for queue in chosen:
            name = clean(queue.name)
            click.echo(f"{name} is paused" if queue.pause() else f"{name} was paused already")


@command.command("resume")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Every queue that is paused.")
@redis_options
def resume(*, names: Sequence[str], everyone: bool, config_file: str | None, environment: str | None) -> None:
    """Let workers take the jobs of these queues again."""
    with open_fleet(config_file, environment) as fleet:
        for queue in _chosen(fleet, names, everyone=everyone, paused=True):
            name = clean(queue.name)
            click.echo(f"{name} goes on" if queue.unpause() else f"{name} was not paused")


@command.command("clear")
@click.argument("name", metavar="QUEUE")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@redis_options
def clear(*, name: str, yes: bool, config_file: str | None, environment: str | None) -> None:
    """Delete all jobs that wait in a queue. `pillion undo` puts them back, for a day."""
    from pillion.api.queues import Queue

    with open_fleet(config_file, environment) as fleet:
        queue = Queue(name, fleet=fleet)
        if not yes:
            _confirm(f"Delete {jobs(queue.size())} of the queue {name}?")
        removed = queue.clear()
    undo = f"; `pillion undo {removed.undo_id}` puts them back, until tomorrow" if removed.undo_id else ""
    click.echo(f"{jobs(removed.count)} deleted{undo}.")


@command.command("migrate", short_help="Move the jobs of one queue to another.")
@click.argument("old")
@click.argument("new")
@click.option("--dead", is_flag=True, help="The jobs in the dead set too.")
@redis_options
def migrate(*, old: str, new: str, dead: bool, config_file: str | None, environment: str | None) -> None:
    """Move the jobs of the queue OLD to NEW: those that wait, are scheduled, or are to be retried.

    Their order is kept. Producers and workers may go on meanwhile; run it once more when nobody pushes to
    OLD any more. It may be stopped and run again at any point. `pillion queues migrate NEW OLD` goes back.
    """
    from pillion.api.migration import Migration

    with open_fleet(config_file, environment) as fleet, progress_bar(f"{old} to {new}") as progress:
        moved = Migration(old, to=new, dead=dead, fleet=fleet).run(progress=progress)
    parts = [
        f"{number(moved.queued)} queued",
        f"{number(moved.scheduled)} scheduled",
        f"{number(moved.retries)} to be retried",
    ]
    if dead:
        parts.append(f"{number(moved.dead)} dead")
    click.echo(f"Moved {jobs(moved.total)} from {old} to {new}: {', '.join(parts)}.")
    if moved.unreadable:
        click.echo(f"{number(moved.unreadable)} of them cannot be read, and were moved as they are.", err=True)


def _chosen(fleet: Fleet, names: Sequence[str], *, everyone: bool, paused: bool = False) -> list[Queue]:
    from pillion.api.queues import Queue

    if bool(names) == everyone:
        raise click.UsageError("Name the queues, or say --all.")
    if names:
        return [Queue(name, fleet=fleet) for name in dict.fromkeys(names)]
    return Queue.paused(fleet) if paused else Queue.all(fleet)


def _tell_unknown(fleet: Fleet, names: Sequence[str]) -> None:
    """Warn of names that may be misspelt. It is allowed to pause a queue before the first push."""
    from pillion.api.queues import Queue

    known = [queue.name for queue in Queue.all(fleet)]
    for name in (name for name in names if name not in known):
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}? `pillion queues resume {name}` takes it back." if near else ""
        click.echo(clean(f"Nothing was pushed to {name} yet; it will be paused then.{hint}"), err=True)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to ask: say --yes if that is meant.")
    click.confirm(question, abort=True, err=True)


def _row(queue: QueueSummary, processes: int) -> tuple[str, ...]:
    unserved = "nobody serves it" if queue.size and not processes else ""
    state = "paused" if queue.is_paused else unserved
    return (queue.name, number(queue.size), duration(queue.latency_s), number(processes), state)


def _as_object(queue: QueueSummary, processes: int) -> dict[str, object]:
    return {
        "name": queue.name,
        "size": queue.size,
        "latency_s": round(queue.latency_s, 3),
        "processes": processes,
        "paused": queue.is_paused,
    }
