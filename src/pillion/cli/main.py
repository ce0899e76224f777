"""The `pillion` command: a table of sub-commands, and what happens when one of them fails."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

import click

from pillion._version import __version__
from pillion.errors import PillionError

# name -> module with a click command called `command`, and its line in `pillion --help`.
# A module is imported when its command is called: `pillion push` must not wait for the server's code.
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("pillion.cli.run", "Start worker processes that run jobs."),
        "push": ("pillion.cli.push", "Push one job by hand and print its jid."),
        "dev": ("pillion.cli.dev.command", "Run a worker for development: a new one each time the code changes."),
        "demo": ("pillion.cli.demo.command", "Watch it work: a job for every file of Python's standard library."),
        "generate": ("pillion.cli.generate.command", "Write the file of a new job, and a test of it."),
        "lint": ("pillion.cli.lint.command", "Check the jobs in Python files against the rules of good jobs."),
        "stats": ("pillion.cli.stats", "Print how much was processed, failed, waits and runs."),
        "queues": ("pillion.cli.queues", "List the queues; pause, resume, clear them; move their jobs."),
        "jobs": ("pillion.cli.jobs", "Find jobs that wait; retry, kill or delete them."),
        "failures": ("pillion.cli.failures", "Show what fails, how often and since when."),
        "undo": ("pillion.cli.undo", "Put back what was deleted."),
        "processes": ("pillion.cli.processes", "List the worker processes; tell them to be quiet or to stop."),
        "outbox": ("pillion.cli.outbox", "Push the jobs that applications have written into their database."),
        "web": ("pillion.cli.web", "Show the dashboard in the browser."),
        "doctor": ("pillion.cli.doctor", "Examine Redis, workers and queues, and say what to do."),
        "check": ("pillion.cli.check", "Check processes, queues or Redis: one line and an exit code, for cron."),
        "deploy": ("pillion.cli.deploy", "Mark a deploy in the charts of the metrics."),
        "version": ("pillion.cli.version", "Print the versions of Pillion and of what it stands on."),
    }
)
EXAMPLES = """
Examples:

\b
  pillion demo
  pillion run shop.jobs
  pillion push shop.jobs.CompleteOrder 42 --in 5m
"""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
EXIT_ERROR = 1


class Commands(click.Group):
    """A group that knows the names of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command. An unknown name brings the nearest known ones."""
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(COMMANDS)}."
            ctx.fail(f"There is no command {cmd_name!r}. {hint}")
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands in the help text, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings=SETTINGS, epilog=EXAMPLES)
@click.version_option(__version__, "-V", "--version", message="Pillion %(version)s")
def command() -> None:
    """Pillion runs background jobs on Redis, on the wire the same as Ruby's Sidekiq.

    `pillion COMMAND -h` explains a command.
    """


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 called wrongly."""
    try:
        command.main(args=argv, prog_name="pillion", color=_colour())
    except PillionError as exc:
        fail(str(exc))
    sys.exit(0)


def _colour() -> bool | None:
    """False if NO_COLOR is set (no-color.org); None: in a terminal, not in a pipe."""
    return False if os.environ.get("NO_COLOR") else None


def fail(message: str) -> NoReturn:
    """Say what is wrong, in red on a terminal, and exit with 1."""
    from pillion.cli.tables import clean

    click.secho(f"pillion: {clean(message)}", fg="red", err=True, color=_colour())  # it may name what is in Redis
    sys.exit(EXIT_ERROR)
