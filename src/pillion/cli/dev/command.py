"""`pillion dev`: everything a developer runs, in one terminal."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from pillion.cli import run
from pillion.cli.dev.children import Order
from pillion.cli.dev.lines import OURS, Printer
from pillion.cli.dev.session import WORKER, Plan, Session
from pillion.errors import ConfigError
from pillion.settings.sources import Settings, load_config
from pillion.storage.connect import open_target, resolve_url
from pillion.storage.ops.process import ping

HELP = ["-h", "--help"]
DASHBOARD = "dashboard"
GRACE_S = 2.0
_NAMED = re.compile(r"([\w-]+):\s+(.+)", re.DOTALL)


@click.command("dev", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[TARGET] [OPTIONS OF RUN]...")
@click.option("--with", "beside", metavar="[NAME:] COMMAND", multiple=True, help="Run this as well; repeatable.")
@click.option(
    "--watch",
    "watched",
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    multiple=True,
    help="A folder whose changes count; repeatable (this one).",
)
@click.option("--no-reload", is_flag=True, help="Do not look for changes of code.")
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0, min_open=True),
    default=GRACE_S,
    show_default=True,
    help="Seconds that running jobs may go on at a change.",
)
@click.option("--web", is_flag=True, help="Run the dashboard as well.")
def command(
    arguments: Sequence[str],
    beside: Sequence[str],
    watched: Sequence[Path],
    grace_s: float,
    *,
    no_reload: bool,
    web: bool,
) -> None:
    """Run a worker for development: a new one each time the code changes, further commands beside it.

    \b
    Examples:
      pillion dev shop.jobs
      pillion dev shop.jobs -q high -c 2
      pillion dev shop.jobs --with "web: uvicorn shop.web:app --reload" --with "npm run dev"

    Arguments and options are those of `pillion run`. When a Python file or a settings file changes, running jobs
    get a moment to finish, go back to their queue otherwise, and a new process takes over. Redis is the embedded
    one where no other is configured. Ctrl-C stops everything.
    """
    folder = Path.cwd()
    arguments = ["-t", f"{grace_s:g}", *arguments]
    settings = settings_of(arguments, folder)
    orders = [*name_orders(beside), *([dashboard(settings)] if web else [])]
    plan = Plan(arguments, settings.config.timeout_s, orders, () if no_reload else tuple(watched) or (folder,))
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    printer = Printer([WORKER, *(order.name for order in orders)], colour=colour)
    session = Session(plan, printer, folder)
    with redis_for(settings, printer):
        session.run()


def settings_of(arguments: Sequence[str], folder: Path) -> Settings:
    """What `pillion run` makes of these arguments. Raises click's errors for wrong ones, and ConfigError."""
    context = run.command.make_context("pillion dev", list(arguments), help_option_names=HELP)
    settings = load_config(context.params, cwd=folder)
    if not settings.targets and not settings.require:
        raise click.UsageError(run.NOTHING_TO_RUN.replace("pillion run", "pillion dev"))
    return settings


def name_orders(commands: Iterable[str]) -> list[Order]:
    """The orders of `--with`, each with a name of its own: the one given, else the first word of the command.

    Raises ConfigError for one without a command.
    """
    orders: dict[str, Order] = {}
    for text in commands:
        match = _NAMED.fullmatch(text.strip())
        name, line = (match[1], match[2]) if match else (_first_word(text), text.strip())
        if not line:
            raise ConfigError("--with", "a command", text, 'Example: --with "web: uvicorn shop.web:app"')
        name = _free(name, {OURS, WORKER, DASHBOARD, *orders})
        orders[name] = Order(name, line)
    return list(orders.values())


def _first_word(text: str) -> str:
    words = [word for word in text.split() if "=" not in word]  # PORT=8000 before a command is not its name
    return re.sub(r"[^\w.-]", "", Path(words[0]).name if words else "") or "with"


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def dashboard(settings: Settings) -> Order:
    """The order that runs the dashboard, on the Redis of the worker."""
    file = ["-C", str(settings.config_file)] if settings.config_file else []
    words = [sys.executable, "-m", "pillion", "web", "--port", "0", "-e", settings.config.environment, *file]
    return Order(DASHBOARD, words)


@contextmanager
def redis_for(settings: Settings, printer: Printer) -> Generator[None]:
    """Say which Redis it is. The embedded one is kept running meanwhile: between two workers nobody else uses it."""
    config = settings.config
    target = resolve_url(config.redis, os.environ, config.embedded_data_dir)
    if target.kind != "embedded":
        printer.say(f"Redis: {target.description}")
        yield
        return
    storage = open_target(target, config.redis)
    try:
        storage.run(ping())
        printer.say(f"Redis: embedded, with its data in {target.data_dir}")
        yield
    finally:
        storage.close()
