"""What the demo shows: a bar in a terminal, lines in a pipe, and the report at the end."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from pillion.cli.demo.results import FileRow, Progress, Totals

LONGEST_ERROR = 76


class Screen(Protocol):
    """Shows how far a run is."""

    def show(self, progress: Progress) -> None:
        """Show this progress."""
        ...


@contextmanager
def open_screen(*, is_terminal: bool) -> Generator[Screen]:
    """A bar for a terminal, lines for a pipe."""
    if not is_terminal:
        yield Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    failed = TextColumn("[red]{task.fields[failed]} failed")
    with RichProgress(TextColumn("Files"), BarColumn(None), MofNCompleteColumn(), failed, TimeElapsedColumn()) as rich:
        task = rich.add_task("files", total=None, failed=0)

        class Bar:
            """The bar of the library rich."""

            def show(self, progress: Progress) -> None:
                """Move the bar."""
                rich.update(task, completed=progress.done, total=progress.total, failed=progress.failed)

        yield Bar()


class Lines:
    """A line for every tenth of the files."""

    def __init__(self) -> None:
        self._shown = -1

    def show(self, progress: Progress) -> None:
        """Print a line if another tenth is done."""
        tenth = progress.done * 10 // max(progress.total, 1)
        if tenth > self._shown:
            self._shown = tenth
            click.echo(f"{tenth * 10:>5} %  {progress.done} of {progress.total} files, {progress.failed} failed")


@dataclass(slots=True, frozen=True)
class Report:
    """What is told at the end. `dead` is path to (runs, error), as it stands in the dead set."""

    totals: Totals
    seconds: float
    dead: Mapping[str, tuple[int, str]]
    largest: Sequence[FileRow]
    source: Path
    folder: Path
    jobs_file: Path


def report_text(report: Report) -> str:
    """The report, for people."""
    totals, read = report.totals, report.totals.files - report.totals.failed
    lines = [
        f"Done: {totals.files:,} files in {report.seconds:.1f} s, {totals.files / report.seconds:,.0f} a second.",
        "",
        f"  {read:>6,} read      {totals.lines:,} lines, {totals.functions:,} functions, {totals.classes:,} classes",
        f"  {totals.retried:>6,} retried   their first try failed, so they got another some seconds later",
        f"  {totals.failed:>6,} failed    all their tries failed; they wait in the dead set for somebody to look:",
        "",
    ]
    lines += [
        f"    {_short(path, report)}  (run {runs} times)\n        {_cut(error)}"
        for path, (runs, error) in sorted(report.dead.items())
    ]
    lines += ["", "Most functions:"]
    lines += [f"  {row.functions:>6,} {_short(row.path, report)}" for row in report.largest]
    lines += ["", "To look further:", *_further(report)]
    return "\n".join(lines)


def _further(report: Report) -> list[str]:
    query = "SELECT lines, path FROM results ORDER BY lines DESC LIMIT 9"
    data = {
        "the jobs' code": _from_here(report.jobs_file),
        "the workers' log": _from_here(report.folder / "worker.log"),
        "the rows": f"""sqlite3 {_from_here(report.folder / "results.sqlite3")} "{query}\"""",
        "once more": "the same command; Ctrl-C in the middle is allowed, the next one goes on from there",
    }
    return [f"  {name:<17} {text}" for name, text in data.items()]


def _short(path: str, report: Report) -> str:
    """The path below the source folder or the demo's own."""
    for folder in (report.source, report.folder):
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return path


def _from_here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else line[: LONGEST_ERROR - 1] + "…"
