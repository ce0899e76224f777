"""`pillion run`: start worker processes."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from pillion import log
from pillion._version import __version__
from pillion.cli.banner import banner_text
from pillion.settings.sources import Settings, load_config

NOTHING_TO_RUN = """Which jobs shall run? Name the module that has them:

  pillion run shop.jobs

or put it into pillion.toml:  require = ["shop.jobs"]"""


@click.command("run")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("-q", "--queue", "queues", metavar="NAME[,WEIGHT]", multiple=True, help="Serve this queue; repeatable.")
@click.option("-c", "--concurrency", metavar="N", help="Jobs at a time in each process (5).")
@click.option(
    "-p",
    "--processes",
    metavar="[QUEUE=]N",
    multiple=True,
    help="Worker processes (1), or those of a queue; repeatable.",
)
@click.option("--child-processes", metavar="N", help="Children of each worker, for jobs in processes (one per CPU).")
@click.option("-t", "--timeout", metavar="SECONDS", help="How long jobs may go on after a stop (25).")
@click.option("--max-retries", metavar="N", help="Retries of a job that does not say (25).")
@click.option("-e", "--environment", metavar="NAME", help="Environment (APP_ENV, else development).")
@click.option("-g", "--tag", metavar="TAG", help="Name of this app in the dashboard (its folder).")
@click.option("-r", "--require", metavar="MODULE", multiple=True, help="Load this module first; repeatable.")
@click.option("-C", "--config", metavar="FILE", help="Settings: .toml, or .yml as Ruby's Sidekiq reads it.")
@click.option("-v", "--verbose", is_flag=True, default=None, help="Log more.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="How log lines look (text).")
@click.version_option(__version__, "-V", "--version", message="Pillion %(version)s")
def command(**flags: Any) -> None:
    """Start workers for the jobs in TARGET: a module (shop.jobs) or a file (shop/jobs.py).

    \b
    Examples:
      pillion run shop.jobs
      pillion run shop.jobs -q high,3 -q default -c 10
      pillion run shop.jobs -q one_at_a_time -c 1
      pillion run shop.jobs -p critical=2 -p default=5
      pillion run -C config/sidekiq.yml -r shop.jobs -e production -p 2

    Queues are served in the order given; with weights, in proportion to them. Flags win over
    environment variables, these over the settings file (pillion.toml, [tool.pillion] in
    pyproject.toml, or config/sidekiq.yml). Redis is REDIS_URL, or an embedded one where nothing is set.

    Ctrl-C or TERM stops: running jobs get the timeout to finish, then go back to their queue.
    TSTP only stops taking new jobs.
    """
    settings = load_config(flags, cwd=Path.cwd())
    if not settings.targets and not settings.require:
        raise click.UsageError(NOTHING_TO_RUN)
    log.setup(settings.log_level, settings.log_format)
    greet(settings)
    sys.exit(start(settings))


def greet(settings: Settings) -> None:
    """Print the banner if there is somebody to read it, and log the notes on the settings file."""
    if sys.stdout.isatty() and settings.log_format == "text":
        from pillion.storage.connect import resolve_url

        config = settings.config
        text = banner_text(
            __version__,
            redis=resolve_url(config.redis, os.environ, config.embedded_data_dir).description,
            environment=config.environment,
            capsules=config.capsules.values(),
            workers=settings.workers,
            colour=not os.environ.get("NO_COLOR"),
        )
        click.echo(text)
    for note in settings.notes:
        logging.getLogger("pillion").warning("%s", note)


def start(settings: Settings) -> int:
    """Hand over to the supervisor; returns its exit code."""
    with kept_for_good():
        from pillion.server import supervisor
    return supervisor.run(settings.config, targets=settings.targets, require=settings.require, workers=settings.workers)


@contextmanager
def kept_for_good() -> Generator[None]:
    """Spare the garbage collector all that is made inside, now and later: for imports.

    Next to nothing that they make is garbage, but collecting meanwhile, and once more before the fork, takes a
    seventh of the time from the command line to the first job.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
