"""`pillion stats`: the numbers of a fleet, once or again and again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import Column, clean, duration, number, print_table, rich_table
from pillion.errors import RedisError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pillion.api.stats import StatsSnapshot

Show = Callable[["StatsSnapshot"], None]

_QUEUE_COLUMNS = (Column("Queue"), Column("Size", right=True), Column("Latency", right=True), Column("State"))
_TOTALS = ("processed", "failed", "busy", "enqueued", "scheduled", "retry", "dead", "processes")
_WATCH_EVERY_S = 2.0
_LEAST_INTERVAL_S, _MOST_INTERVAL_S = 0.1, 86_400.0


def _check_interval(_ctx: click.Context, _param: click.Parameter, every_s: float | None) -> float | None:
    if every_s is not None and not _LEAST_INTERVAL_S <= every_s <= _MOST_INTERVAL_S:  # nan too
        raise click.BadParameter(f"expected from {_LEAST_INTERVAL_S} to {_MOST_INTERVAL_S:.0f} seconds, got {every_s}.")
    return every_s


@click.command("stats")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object, with --watch one on each line.")
@click.option(
    "--watch",
    "every_s",
    metavar="[SECONDS]",
    is_flag=False,
    flag_value=_WATCH_EVERY_S,
    type=float,
    callback=_check_interval,
    help="Look again every 2 (or so many) seconds until Ctrl-C.",
)
@redis_options
def command(*, as_json: bool, every_s: float | None, config_file: str | None, environment: str | None) -> None:
    """Print how many jobs were processed, failed, wait and run, and the queues with the age of their oldest job.

    With --watch a terminal shows it anew in place; a pipe gets one line for each look, good for a log or
    another system. An outage of Redis is told, and does not end it.

    \b
    Examples:
      pillion stats
      pillion stats --watch
      pillion stats --json | jq .enqueued
      pillion stats --watch 60 --json >> stats.jsonl
    """
    from pillion.api.stats import Stats

    with open_fleet(config_file, environment) as fleet:
        read = Stats(fleet=fleet).read
        if every_s is None:
            (_print_json if as_json else _print_tables)(read())
            return
        with suppress(KeyboardInterrupt), _screen(as_json=as_json) as show:
            _watch(read, show, every_s)


def _watch(read: Callable[[], StatsSnapshot], show: Show, every_s: float) -> None:
    """Look and show for ever. The first look may fail: then there is nothing to watch."""
    show(read())
    due_s = time.monotonic()
    while True:
        due_s = max(due_s + every_s, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))
        try:
            show(read())
        except RedisError as exc:
            click.secho(f"pillion: {exc}", fg="red", err=True)


@contextmanager
def _screen(*, as_json: bool) -> Generator[Show]:
    """Where looks are shown: in place in a terminal, else line by line."""
    if as_json or not sys.stdout.isatty():
        yield _print_json_line if as_json else _print_line
        return
    from rich.live import Live

    with Live(auto_refresh=False) as live:
        yield lambda seen: live.update(_drawing(seen), refresh=True)


# -- one look ----------------------------------------------------------------------------------------


def as_json_object(seen: StatsSnapshot) -> dict[str, Any]:
    """What `--json` prints. Latencies are seconds."""
    return {
        "at": _stamp(seen),
        **{name: getattr(seen, name) for name in _TOTALS},
        "default_queue_latency_s": round(seen.default_queue_latency_s, 3),
        "queues": [
            {"name": queue.name, "size": queue.size, "latency_s": round(queue.latency_s, 3), "paused": queue.is_paused}
            for queue in seen.queue_summaries
        ],
    }


def _print_json(seen: StatsSnapshot) -> None:
    click.echo(json.dumps(as_json_object(seen), indent=2))


def _print_json_line(seen: StatsSnapshot) -> None:
    click.echo(json.dumps(as_json_object(seen), separators=(",", ":")))


def _print_line(seen: StatsSnapshot) -> None:
    """One line of key=value."""
    pairs = [f"{name}={getattr(seen, name)}" for name in _TOTALS]
    click.echo(" ".join([_stamp(seen), *pairs, f"default_queue_latency_s={seen.default_queue_latency_s:.3f}"]))


def _print_tables(seen: StatsSnapshot) -> None:
    click.echo(_totals(seen))
    if seen.queue_summaries:
        click.echo()
        print_table(_QUEUE_COLUMNS, _queue_rows(seen))


def _drawing(seen: StatsSnapshot) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    head = Text(f"{_stamp(seen)}  Ctrl-C ends this\n", style="dim")
    return Group(head, Text(_totals(seen) + "\n"), rich_table(_QUEUE_COLUMNS, _queue_rows(seen)))


def _totals(seen: StatsSnapshot) -> str:
    values = {name: number(getattr(seen, name)) for name in _TOTALS}
    width = max(map(len, values.values()))
    return "\n".join(f"{name.capitalize():<10} {value:>{width}}" for name, value in values.items())


def _queue_rows(seen: StatsSnapshot) -> list[tuple[str, str, str, str]]:
    return [
        (clean(queue.name), number(queue.size), duration(queue.latency_s), "paused" if queue.is_paused else "")
        for queue in seen.queue_summaries
    ]


def _stamp(seen: StatsSnapshot) -> str:
    return datetime.fromtimestamp(seen.taken_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
