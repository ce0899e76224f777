"""`pillion failures`: what fails, how often and since when (F204)."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from pillion.cli.progress import progress_bar
from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import UNKNOWN, Column, duration, number, print_table
from pillion.errors import ConfigError

if TYPE_CHECKING:
    from pillion.api.failures import FailureGroup, Key

_NUMBERS = (
    Column("Retry", right=True),
    Column("Dead", right=True),
    Column("First", right=True),
    Column("Last", right=True),
    Column("Message"),
)
_MOST_SHOWN = 70


@click.command("failures")
@click.option(
    "--by",
    default="class,error",
    show_default=True,
    metavar="KEY[,KEY]",
    help="Group by class, error and queue, or some of them.",
)
@click.option("--in", "sets", type=click.Choice(["retry", "dead"]), multiple=True, help="Only this set.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Show so many groups.")
@click.option("--json", "as_json", is_flag=True, help="Print all groups as JSON.")
@redis_options
def command(
    *,
    by: str,
    sets: tuple[str, ...],
    limit: int,
    as_json: bool,
    config_file: str | None,
    environment: str | None,
) -> None:
    """Show what fails: the jobs of the retry and the dead set, grouped, the largest group first.

    First and Last are how long ago the first and the latest failure of a group was; the message is that
    of the latest.

    \b
    Examples:
      pillion failures
      pillion failures --by error --in dead
      pillion failures --json | jq '.[0]'
    """
    from pillion.api.failures import Failures

    keys = _keys(by)
    with open_fleet(config_file, environment) as fleet, progress_bar("Looking") as progress:
        groups = Failures(fleet=fleet).groups(keys, sets=sets or ("retry", "dead"), progress=progress)
    if as_json:
        click.echo(json.dumps([_as_object(keys, group) for group in groups], indent=2))
        return
    if not groups:
        click.echo("Nothing has failed: the retry and the dead set are empty.")
        return
    columns = (*(Column(key.capitalize()) for key in keys), *_NUMBERS)
    print_table(columns, [_row(group, time.time()) for group in groups[:limit]])
    if len(groups) > limit:
        click.echo(f"{number(len(groups) - limit)} more groups; --limit shows them.", err=True)


def _keys(by: str) -> tuple[Key, ...]:
    from pillion.api.failures import KEYS

    names = tuple(name.strip() for name in by.split(","))
    if not set(names) <= set(KEYS) or len(set(names)) < len(names):
        raise ConfigError("--by", f"one or more of {', '.join(KEYS)}, each once", by)
    return cast("tuple[Key, ...]", names)


def _row(group: FailureGroup, now_s: float) -> tuple[str, ...]:
    return (
        *(value or UNKNOWN for value in group.key),
        number(group.retry),
        number(group.dead),
        _ago(group.first_at, now_s),
        _ago(group.last_at, now_s),
        group.message[:_MOST_SHOWN],
    )


def _ago(moment_s: float | None, now_s: float) -> str:
    return UNKNOWN if moment_s is None else duration(max(0.0, now_s - moment_s))


def _as_object(keys: tuple[Key, ...], group: FailureGroup) -> dict[str, object]:
    values = asdict(group)
    del values["key"]
    return {**dict(zip(keys, group.key, strict=True)), "count": group.count, **values}
