"""`pillion push`: one job, from a shell.

It knows the job by name only: the app's code is not loaded, so a push takes a moment, and it can
push to workers of any language.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pillion.cli.redis_options import tell_if_embedded
from pillion.cli.times import read_duration, read_moment, reader
from pillion.errors import ConfigError

# Each of these has an argument or an option of its own.
_NOT_SETTABLE = {"class": "NAME", "args": "ARGS", "queue": "--queue", "at": "--at"}


def read_argument(text: str) -> Any:
    """A job's argument from the command line: JSON if it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


def _refuse(constant: str) -> None:
    """NaN and Infinity are no JSON, though Python's parser takes them."""
    raise ValueError(constant)


def read_pair(text: str) -> tuple[str, Any]:
    """The key and the value of "key=value"; the value as JSON if it is JSON. Raises ConfigError."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError("--set", "key=value, such as retry=5", text)
    if key in _NOT_SETTABLE:
        raise ConfigError("--set", "a job option", text, f"Use {_NOT_SETTABLE[key]} for this.")
    return key, read_argument(value)


def make_item(
    name: str,
    args: Sequence[str],
    *,
    queue: str | None,
    due_at_s: float | None,
    pairs: Sequence[tuple[str, Any]],
    now_s: float,
) -> dict[str, Any]:
    """What is handed to the client. A time that has come already means: now."""
    from pillion.definition.options import check_options, given

    keys = dict(pairs)
    own_jid = given(jid=keys.pop("jid", None))  # not an option of a job, but of this push
    options = check_options({**keys, **given(queue=queue)})
    item: dict[str, Any] = {"class": name, "args": [read_argument(arg) for arg in args], **options, **own_jid}
    if due_at_s is not None and due_at_s > now_s:
        item["at"] = due_at_s
    return item


@click.command("push")
@click.argument("name")
@click.argument("args", nargs=-1)
@click.option("--in", "delay_s", metavar="TIME", callback=reader(read_duration), help="Run it after 90, 5m, 2h, 1d ...")
@click.option("--at", "moment_s", metavar="TIME", callback=reader(read_moment), help="Run it at 2026-01-01T00:00:00Z.")
@click.option("-q", "--queue", metavar="QUEUE", help="Push to this queue (default: default).")
@click.option(
    "--set", "pairs", metavar="KEY=VALUE", multiple=True, callback=reader(read_pair), help="A job option: retry=5."
)
@click.option("-C", "--config", "config_file", metavar="FILE", help="Settings file; says where Redis is.")
@click.option("-e", "--environment", metavar="NAME", help="Section of the settings file.")
def command(
    name: str,
    args: tuple[str, ...],
    delay_s: float | None,
    moment_s: float | None,
    queue: str | None,
    pairs: Sequence[tuple[str, Any]],
    config_file: str | None,
    environment: str | None,
) -> None:
    """Push the job NAME with ARGS and print its jid.

    NAME is the job's name on the wire: module.Class for a Python job, Ruby::Class for a Ruby one.
    Each of ARGS is read as JSON where it is JSON (42, true, '{"a": 1}', '"42"' for the text), and is
    text otherwise. Put -- before an argument that begins with a dash.

    \b
    Examples:
      pillion push shop.jobs.CompleteOrder 42
      pillion push shop.jobs.SendMail ann@example.org --in 5m --queue mailers
      pillion push shop.jobs.Report '{"year": 2026}' --at 2026-01-01T00:00:00Z --set retry=3
      pillion push shop.jobs.Refund -- -5
    """
    if delay_s is not None and moment_s is not None:
        raise click.UsageError("Give --in or --at, not both.")
    now_s = time.time()
    due_at_s = now_s + delay_s if delay_s is not None else moment_s
    item = make_item(name, args, queue=queue, due_at_s=due_at_s, pairs=pairs, now_s=now_s)
    click.echo(push(item, {"config": config_file, "environment": environment}))


def push(item: dict[str, Any], flags: dict[str, Any]) -> str:
    """Push `item` to the Redis that flags, environment and settings file say. Returns the jid."""
    from pillion.client import Client
    from pillion.settings.sources import load_config
    from pillion.storage.connect import open_storage

    config = load_config(flags, cwd=Path.cwd()).config
    tell_if_embedded(config)
    storage = open_storage(config)
    try:
        jid = Client(storage, config).push(item)
    finally:
        storage.close()
    assert jid is not None, "only client middleware can stop a push, and a file cannot name any"
    return jid
