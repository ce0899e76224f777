"""One run of the demo, from the list of files to the report; or the rest of one that was stopped.

Design record. Nothing here may be lost or done twice when this process, a worker or the machine stops
at any moment:

- The list of files is fixed in SQLite when a run begins; a run ends when each has its row.
- A job is pushed together with a note of its jid, in one Redis transaction. A run that goes on pushes
  the files that have neither note nor row.
- A row is kept under its path. A job that runs again (its worker was killed) writes the same row.
- The end is seen in SQLite, a local file, not by asking Redis again and again. Only if nothing moved
  for a while is the dead set searched for jobs that died without a word (a worker killed three times).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pillion.cli.demo import app
from pillion.cli.demo.files import python_files, with_broken_ones
from pillion.cli.demo.queue import DemoQueue
from pillion.cli.demo.results import FileRow, Progress, Results, Run
from pillion.cli.demo.screen import Report, Screen
from pillion.cli.demo.workers import Workers
from pillion.errors import ConfigError

LOOK_S = 0.1
STALLED_S = 20.0
LARGEST = 5


@dataclass(slots=True, frozen=True)
class Demo:
    """Where a demo has its data, and what it reads. `say` prints a line."""

    folder: Path
    source: Path
    processes: int
    say: Callable[[str], None]

    @property
    def results_file(self) -> Path:
        """The SQLite file."""
        return self.folder / "results.sqlite3"

    def choose_run(self, results: Results, *, fresh: bool) -> Run:
        """The run that was stopped before its end, or else a new one. Raises ConfigError: no files."""
        run = None if fresh else results.unfinished(str(self.source))
        if run is not None:
            self.say(f"Going on with run {run.number}, which was stopped: {len(results.missing())} files are left.")
            return run
        files, note = with_broken_ones(python_files(self.source), self.folder / "broken")
        if not files:
            raise ConfigError("--source", "a folder with Python files", str(self.source))
        run = results.begin(str(self.source), note, [str(path) for path in files])
        self.say(f"Run {run.number}: a job for each of {len(files):,} Python files in {self.source}.")
        if note:
            self.say(note)
        return run

    def work(self, run: Run, results: Results, queue: DemoQueue, screen: Screen) -> None:
        """Push what is not pushed yet, run workers until every file has its row and all is added up."""
        queue.push_files(results.missing())
        with Workers(self.folder, self.results_file, self.processes) as workers:
            self._watch(run, results, queue, screen, workers)

    def _watch(self, run: Run, results: Results, queue: DemoQueue, screen: Screen, workers: Workers) -> None:
        seen = results.progress(run)
        moved_s = counted_s = time.monotonic()
        while not seen.is_summed_up:
            screen.show(seen)
            workers.wait(LOOK_S)
            now, now_s = results.progress(run), time.monotonic()
            results.add_time(run, now_s - counted_s)  # each time, as we may be killed
            counted_s = now_s
            if now != seen:
                seen, moved_s = now, now_s
            elif now_s - moved_s > STALLED_S:
                self.nudge(run, results, queue, now)
                moved_s = now_s
        screen.show(seen)

    def nudge(self, run: Run, results: Results, queue: DemoQueue, progress: Progress) -> None:
        """Nothing has moved for a while: find the jobs that died without writing their row."""
        is_last = progress.done == progress.total
        missing = set(results.missing())
        for path, (runs, error) in queue.dead().items():
            if path in missing:
                is_last = results.save(run.number, FileRow(path, attempts=runs, error=error))
        if is_last:
            queue.push_sum()

    def finish(self, run: Run, results: Results, queue: DemoQueue) -> Report:
        """Close the run and say what it came to. The workers have stopped, so the dead set is complete."""
        totals = results.totals(run)
        assert totals is not None
        report = Report(
            totals=totals,
            seconds=results.add_time(run, 0),
            dead=queue.dead(),
            largest=results.largest(LARGEST),
            source=self.source,
            folder=self.folder,
            jobs_file=Path(app.__file__),
        )
        results.end(run)
        queue.forget()
        return report
