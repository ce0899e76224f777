"""`pillion demo`: thousands of real jobs on this machine, and what became of them."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from pillion.cli.demo.files import standard_library
from pillion.cli.demo.queue import DemoQueue
from pillion.cli.demo.results import Results, Run
from pillion.cli.demo.run import Demo
from pillion.cli.demo.screen import open_screen, report_text
from pillion.cli.demo.workers import clean_environ
from pillion.config import Config
from pillion.errors import PillionError
from pillion.storage.connect import Storage, open_storage

EXIT_INTERRUPTED = 130
MOST_PROCESSES = 4


@click.command("demo")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(".pillion/demo"),
    help="Where its data goes (.pillion/demo).",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=standard_library,
    help="Read the Python files of this folder (Python's standard library).",
)
@click.option("-p", "--processes", type=click.IntRange(min=1), help="Worker processes (one for each processor).")
@click.option("--fresh", is_flag=True, help="Begin anew, even if the last run was stopped in the middle.")
def command(folder: Path, source: Path, processes: int | None, *, fresh: bool) -> None:
    """Run a job for every file of Python's standard library, and see what becomes of them.

    Each job parses one file, counts what is in it, and writes a row to a SQLite file. Some of the files
    are broken on purpose: their jobs fail, are retried, and end in the dead set. It all runs on an
    embedded Redis of its own. Stop it with Ctrl-C when you like: the next `pillion demo` goes on from there.

    \b
    Examples:
      pillion demo
      pillion demo --source src
      pillion demo --fresh -p 4
    """
    workers = processes or min(os.cpu_count() or 1, MOST_PROCESSES)
    demo = Demo(folder.absolute(), source.absolute(), workers, click.echo)
    demo.folder.mkdir(parents=True, exist_ok=True)
    with _interruptible(), _alone_in(demo.folder), _results(demo) as results:
        run = demo.choose_run(results, fresh=fresh)
        try:
            _carry_out(demo, run, results)
        except KeyboardInterrupt:
            progress = results.progress(run)
            click.echo(
                f"\nStopped: {progress.done} of {progress.total} files are done. The same command goes on from there."
            )
            sys.exit(EXIT_INTERRUPTED)


def _carry_out(demo: Demo, run: Run, results: Results) -> None:
    config = Config(embedded_data_dir=str(demo.folder))
    with _storage(config, demo.folder) as storage:
        queue = DemoQueue(storage, config, run)
        with open_screen(is_terminal=sys.stdout.isatty()) as screen:
            demo.work(run, results, queue, screen)
        click.echo("\n" + report_text(demo.finish(run, results, queue)))


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """Hold the folder against a second demo, which might begin anew under our feet. The kernel lets go for us."""
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "Wait until it is done, stop it, or give this one another folder with --folder."
            raise PillionError(f"A demo is running in {folder} already. {hint}") from None
        yield


@contextmanager
def _results(demo: Demo) -> Generator[Results]:
    results = Results(demo.results_file)
    try:
        results.create()
        yield results
    finally:
        results.close()


@contextmanager
def _storage(config: Config, folder: Path) -> Generator[Storage]:
    storage = open_storage(config, clean_environ(folder, os.environ))
    try:
        yield storage
    finally:
        storage.close()


@contextmanager
def _interruptible() -> Generator[None]:
    """Take TERM and HUP as Ctrl-C, so that the workers are stopped then too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
