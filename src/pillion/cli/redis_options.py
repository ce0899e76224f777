"""What every command that asks Redis something has in common: two options, and how to get from them to a fleet."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pillion.api.fleet import Fleet

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

    fleet = Fleet(load_config({"config": config_file, "environment": environment}, cwd=Path.cwd()).config)
    try:
        yield fleet
    finally:
        fleet.close()
