"""`pillion undo`: put back what was deleted."""

from __future__ import annotations

import time

import click

from pillion.cli.progress import progress_bar
from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import Column, duration, jobs, number, print_table

_COLUMNS = (Column("Id"), Column("What"), Column("Jobs", right=True), Column("Deleted"), Column("Until"))


@click.command("undo")
@click.argument("undo_id", metavar="[ID]", required=False)
@redis_options
def command(*, undo_id: str | None, config_file: str | None, environment: str | None) -> None:
    """Put back the jobs of a deletion; without ID, list what can be put back.

    Jobs return to where they were: those of a queue run before what was pushed since, those of a set keep
    their times. A deletion can be undone for a day.

    \b
    Examples:
      pillion undo
      pillion undo 1f0c9a3b55d2
    """
    from pillion.api.undo import Undo

    with open_fleet(config_file, environment) as fleet:
        if undo_id is not None:
            undo = Undo(undo_id, fleet=fleet)
            with progress_bar("Putting back") as progress:
                count = undo.restore(progress=progress)
            click.echo(f"{jobs(count)} {'is' if count == 1 else 'are'} back.")
            return
        known = Undo.all(fleet)
    if not known:
        click.echo("Nothing can be put back: nothing was deleted in the last day.")
        return
    now_s = time.time()
    rows = [
        (
            each.undo_id,
            f"{each.kind} {each.name}",
            number(each.count),
            f"{duration(now_s - each.at)} ago",
            f"in {duration(each.expires_at - now_s)}",
        )
        for each in known
    ]
    print_table(_COLUMNS, rows)
