"""What every command that asks Redis something has in common: two options, and how to get from them to a fleet."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pillion.api.fleet import Fleet
    from pillion.config import Config

F = TypeVar("F", bound=Callable[..., Any])


def redis_options(function: F) -> F:
    """Give a command the options -C and -e, as `config_file` and `environment`."""
    environment = click.option("-e", "--environment", metavar="NAME", help="Section of the settings file.")
    config = click.option("-C", "--config", "config_file", metavar="FILE", help="Settings file; says where Redis is.")
    return config(environment(function))


@contextmanager
def open_fleet(config_file: str | None, environment: str | None) -> Generator[Fleet]:
    """The fleet on the Redis that options, environment and settings file say. Raises ConfigError."""
    from pillion.api.fleet import Fleet
    from pillion.settings.sources import load_config

    config = load_config({"config": config_file, "environment": environment}, cwd=Path.cwd()).config
    tell_if_embedded(config)
    fleet = Fleet(config)
    try:
        yield fleet
    finally:
        fleet.close()


def tell_if_embedded(config: Config) -> None:
    """Say on stderr if nobody has said which Redis is meant, so that the embedded one is used.

    Under cron, where REDIS_URL is easily forgotten, an empty fleet looks like a healthy one.
    """
    from pillion.storage.target import resolve_url

    target = resolve_url(config.redis, os.environ, config.embedded_data_dir)
    if target.kind != "embedded" or config.embedded_data_dir or os.environ.get("PILLION_DATA_DIR"):
        return
    where = f"this is the embedded Redis in {target.data_dir}"
    click.echo(f"pillion: REDIS_URL is not set, nor a Redis in a settings file: {where}.", err=True)
