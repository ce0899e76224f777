"""What is printed: a line that moves in a terminal, plain lines in a pipe, and the report at the end."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chaos.recovery import percentile
from chaos.verdict import Verdict

SHOWN_FAULTS = 5


class Screen:
    """Tells what happens while it happens."""

    def __init__(self, console: Console, seconds: float) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("chaos", total=seconds)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def at(self, seconds: float, what: str = "") -> None:
        """Move on."""
        self._progress.update(self._task, completed=seconds, description=what or "chaos")

    def say(self, line: str) -> None:
        """A line that stays."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def show(screen: Screen, verdict: Verdict, waits: dict[str, list[float]]) -> None:
    """The report of a run."""
    say = screen.say
    faults = verdict.faults
    say(f"\n{verdict.pushed} jobs pushed for Pillion, {verdict.perhaps} more perhaps; {verdict.runs} runs")
    say(f"lost {len(faults.get('lost', []))}, in two places {len(faults.get('in two places', []))}, "
        f"run again without a reason {len(faults.get('unexplained', []))}")  # fmt: skip
    for why, count in sorted(verdict.repeated.items()):
        say(f"  run again, {why}: {count}")
    for what, (least, found, most) in verdict.counted.items():
        say(f"stat:{what} {found}, in the ledger {least}" + (f" to {most}" if most > least else " (exact)"))
    say(f"buried as poison pills: {verdict.poisoned}, of these innocent: {verdict.innocent}")
    say(f"jobs whose push was sent twice by the client, as no reply came: {verdict.sent_twice}")
    say(f"events not done: {verdict.not_done}; jobs found only by the hourly search: {verdict.searched}")
    say(
        f"Ruby's own queue, apart: {verdict.ruby_pushed} pushed, {len(verdict.ruby_lost)} lost by Sidekiq's basic fetch"
    )
    if verdict.dashboard:
        say(_of_the_dashboard(verdict.dashboard))
    _show_waits(screen, waits)
    for what, found in faults.items():
        say(f"\nFAULT: {what}: {len(found)}")
        for line in found[:SHOWN_FAULTS]:
            say(f"  {line}")


def _of_the_dashboard(found: dict[str, int]) -> str:
    shown = f"dashboard: {found['pages']} pages visited, {found['answered_200']} of them answered 200"
    return (
        f"{shown}, in {found['slowest_ms']} ms at most; buttons pressed: {found['pressed']}, obeyed: {found['obeyed']}"
    )


def record(verdict: Verdict, waits: dict[str, list[float]]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "jobs": verdict.pushed,
        "runs": verdict.runs,
        "faults": {what: len(found) for what, found in verdict.faults.items()},
        "repeated": dict(sorted(verdict.repeated.items())),
        "poisoned": verdict.poisoned,
        "not_done": verdict.not_done,
        "searched": verdict.searched,
        "ruby_lost": len(verdict.ruby_lost),
        "dashboard": verdict.dashboard,
        "waits_s": {why: [round(value, 3) for value in values] for why, values in waits.items() if values},
    }


def _show_waits(screen: Screen, waits: dict[str, list[float]]) -> None:
    table = Table("jobs run again after", "jobs", "p50 s", "p99 s", box=None, pad_edge=False)
    for why, values in waits.items():
        if values:
            table.add_row(why, str(len(values)), f"{percentile(values, 0.5):.2f}", f"{percentile(values, 0.99):.2f}")
    if table.row_count:
        screen.console.print(table)
