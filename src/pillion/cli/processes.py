"""`pillion processes`: who works, and how to tell them to be quiet, to stop, to show their threads."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import UNKNOWN, Column, clean, duration, memory, print_table
from pillion.errors import ConfigError

if TYPE_CHECKING:
    from pillion.api.processes import Process

_COLUMNS = (
    Column("Process", whole=True),
    Column("Tag"),
    Column("State"),
    Column("Busy", right=True),
    Column("Queues"),
    Column("Memory", right=True),
    Column("Up", right=True),
    Column("Version"),
)
_DONE = {
    "quiet": "will take no new jobs",
    "stop": "will end, after its running jobs or its timeout",
    "dump": "will log what its threads are doing",
}
_SILENT_AFTER_S = 25.0
_NOBODY = "No worker process is running. `pillion run` starts one."
_DAMAGE = {"quiet": "take no new jobs any more", "stop": "end"}


@click.command("processes")
@click.argument("action", type=click.Choice(["list", *_DONE]), default="list")
@click.argument("identities", metavar="[IDENTITY]...", nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Tell every process.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --all.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@redis_options
def command(
    action: str,
    identities: Sequence[str],
    *,
    everyone: bool,
    yes: bool,
    as_json: bool,
    config_file: str | None,
    environment: str | None,
) -> None:
    """List the worker processes, or tell some of them what to do.

    \b
      list    who they are, what they serve, how busy they are (the default);
              "silent": not heard of for more than two beats
      quiet   take no new jobs; running ones go on. Cannot be undone.
      stop    end: running jobs get the timeout, then go back to their queues
      dump    log what each thread is doing

    IDENTITY is what the list shows; its first parts (host, host:pid) will do. A process looks for what it
    is told every 10 seconds. Those embedded in another program cannot be told anything.

    \b
    Examples:
      pillion processes
      pillion processes quiet app-1:4711
      pillion processes stop --all --yes
    """
    from pillion.api.processes import ProcessSet

    with open_fleet(config_file, environment) as fleet:
        living = list(ProcessSet(fleet=fleet))
        if action == "list":
            _check_list_alone(identities, everyone=everyone)
            _print_list(living, as_json=as_json)
            return
        chosen = _all(living, identities) if everyone else _choose(living, identities)
        if everyone and not yes:
            _confirm(action, chosen)
        for process in chosen:
            _tell(process, action, may_be_gone=everyone)


def _tell(process: Process, action: str, *, may_be_gone: bool) -> None:
    try:
        {"quiet": process.quiet, "stop": process.stop, "dump": process.dump}[action]()
    except ConfigError as exc:
        if not may_be_gone:
            raise
        click.echo(clean(f"{process.identity} was told nothing: {exc}"), err=True)
    else:
        click.echo(clean(f"{process.identity} {_DONE[action]}"))


# -- whom --------------------------------------------------------------------------------------------


def _check_list_alone(identities: Sequence[str], *, everyone: bool) -> None:
    if identities or everyone:
        raise click.UsageError("list shows all processes: leave out IDENTITY and --all.")


def _choose(living: Sequence[Process], identities: Sequence[str]) -> list[Process]:
    """The processes that are meant, each once. Raises UsageError for none, ConfigError for an unknown name."""
    if not identities:
        raise click.UsageError("Say which process: IDENTITY as `pillion processes` shows it, or --all.")
    return list(dict.fromkeys(_find(living, identity) for identity in identities))


def _find(living: Sequence[Process], name: str) -> Process:
    """The one process of this identity, or whose identity begins with these parts."""
    found = [one for one in living if one.identity == name] or [
        one for one in living if one.identity.startswith(f"{name}:")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        hint = f"It could be any of {', '.join(one.identity for one in found)}."
        raise ConfigError("IDENTITY", "enough to know which process is meant", name, hint)
    names = ", ".join(one.identity for one in living)
    raise ConfigError("IDENTITY", "a process that lives", name, f"There are: {names}." if living else "There is none.")


def _all(living: Sequence[Process], identities: Sequence[str]) -> list[Process]:
    """All processes that can be told something."""
    if identities:
        raise click.UsageError("Give IDENTITY or --all, not both.")
    for process in living:
        if process.is_embedded:
            click.echo(clean(f"{process.identity} is left out: it is embedded in another program"), err=True)
    if not living:
        click.echo(_NOBODY, err=True)
    return [process for process in living if not process.is_embedded]


def _confirm(action: str, chosen: Sequence[Process]) -> None:
    """Ask before what cannot be undone. Without anybody to ask, refuse."""
    if action not in _DAMAGE or not chosen:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{action} --all concerns {_counted(chosen)}: say --yes if that is meant.")
    click.confirm(f"{action} --all: {_counted(chosen)} will {_DAMAGE[action]}. Go on?", abort=True, err=True)


def _counted(chosen: Sequence[Process]) -> str:
    return "1 process" if len(chosen) == 1 else f"{len(chosen)} processes"


# -- the list ----------------------------------------------------------------------------------------


def _print_list(living: Sequence[Process], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([as_json_object(process) for process in living], indent=2))
    elif living:
        now_s = time.time()
        print_table(_COLUMNS, [_row(process, now_s) for process in living])
    else:
        click.echo(_NOBODY)


def as_json_object(process: Process) -> dict[str, Any]:
    """What `--json` prints of a process. Times are epoch seconds."""
    plain = ("identity", "hostname", "pid", "tag", "labels", "version", "queues", "concurrency", "busy")
    more = ("started_at", "beat_at", "rtt_us", "rss_kib")
    return {
        **{name: getattr(process, name) for name in (*plain, *more)},
        "quiet": process.is_quiet,
        "embedded": process.is_embedded,
    }


def _row(process: Process, now_s: float) -> tuple[str, ...]:
    return (
        process.identity,
        process.tag,
        _state(process, now_s),
        f"{process.busy}/{process.concurrency}",
        ", ".join(process.queues),
        memory(process.rss_kib),
        duration(None if process.started_at is None else now_s - process.started_at),
        process.version or UNKNOWN,
    )


def _state(process: Process, now_s: float) -> str:
    """One that has missed two beats is in trouble: killed, frozen, or cut off from Redis."""
    states = ["quiet" if process.is_quiet else "running"]
    if process.is_embedded:
        states.append("embedded")
    silent_s = 0.0 if process.beat_at is None else now_s - process.beat_at
    if silent_s > _SILENT_AFTER_S:
        states.append(f"silent for {duration(silent_s)}")
    return ", ".join(states)
