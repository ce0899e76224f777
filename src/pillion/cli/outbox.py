"""`pillion outbox`: push the jobs that applications have written into their database."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pillion.cli.redis_options import redis_options, tell_if_embedded
from pillion.errors import ConfigError

if TYPE_CHECKING:
    from pillion.config import Config


@click.command("outbox")
@click.argument("url", envvar="DATABASE_URL", metavar="DATABASE_URL")
@click.option(
    "--poll",
    "poll_s",
    type=click.FloatRange(0.01, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between two looks into an empty outbox.",
)
@click.option(
    "--keep-intents",
    "keep_days",
    type=click.IntRange(30, 36_500),  # less is less than the retries of a job may take
    default=365,
    show_default=True,
    help="Days after which the intent of a job that never ended well is removed.",
)
@click.option("--once", is_flag=True, help="Push what is there now, and end.")
@redis_options
def command(
    *, url: str, poll_s: float, keep_days: int, once: bool, config_file: str | None, environment: str | None
) -> None:
    """Push jobs from the outbox of a database: see docs/guides/outbox.md.

    DATABASE_URL is as SQLAlchemy has it, without an async driver; it may come from the variable of that name. Any
    number of these may run at a time.

    \b
    Examples:
      pillion outbox postgresql+psycopg://localhost/shop
      DATABASE_URL=sqlite:///shop.db pillion outbox --once
    """
    from pillion.settings.sources import load_config

    config = load_config({"config": config_file, "environment": environment}, cwd=Path.cwd()).config
    tell_if_embedded(config)
    engine = _engine(url)
    try:
        _relay(engine, config, poll_s=poll_s, keep_days=keep_days, once=once)
    finally:
        engine.dispose()


def _relay(engine: Any, config: Config, *, poll_s: float, keep_days: int, once: bool) -> None:
    from pillion.client import Client
    from pillion.outbox.relay import Relay
    from pillion.storage.connect import open_storage

    config.queue_limits = {}  # a job that was committed has been accepted
    relay = Relay(engine, Client(open_storage(config), config), keep_intents_s=keep_days * 86_400.0)
    if once:
        moved = 0
        while count := relay.move():
            moved += count
        relay.forget_intents()
        click.echo(f"{moved} jobs pushed.")
        return
    stop = threading.Event()

    def end(number: int, frame: object) -> None:  # noqa: ARG001
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    click.echo(f"The outbox of {engine.url.render_as_string(hide_password=True)} is being watched.", err=True)
    relay.run(stop, poll_s)


def _engine(url: str) -> Any:
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError:
        raise ConfigError("pillion outbox", "SQLAlchemy", "none", "pip install sqlalchemy, and a driver") from None
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise ConfigError(
            "DATABASE_URL", "a driver that is installed", error.name, f"pip install {error.name}"
        ) from None
    except ArgumentError:  # its message may have a password in it
        example = "For example postgresql+psycopg://user@host/shop."
        raise ConfigError("DATABASE_URL", "a URL as SQLAlchemy has them", "another text", example) from None
