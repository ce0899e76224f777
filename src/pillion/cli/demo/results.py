"""The demo's results: a SQLite file with a row for each file read.

The jobs write it from several threads and processes, the command reads it to show how far they are.
A row is kept under its path, so a job that runs twice leaves one row.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

PATH_VARIABLE = "PILLION_DEMO_RESULTS"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY, token TEXT NOT NULL, source TEXT NOT NULL, note TEXT NOT NULL,
    began_at REAL NOT NULL, busy_s REAL NOT NULL DEFAULT 0, ended INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, place INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS results (
    path TEXT PRIMARY KEY, attempts INTEGER NOT NULL, functions INTEGER NOT NULL, classes INTEGER NOT NULL,
    lines INTEGER NOT NULL, sha256 TEXT NOT NULL, error TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS totals (
    run INTEGER PRIMARY KEY, files INTEGER NOT NULL, functions INTEGER NOT NULL, classes INTEGER NOT NULL,
    lines INTEGER NOT NULL, failed INTEGER NOT NULL, retried INTEGER NOT NULL
);
"""
_SUMS = "count(*), sum(functions), sum(classes), sum(lines), sum(error != ''), sum(attempts - 1)"


@dataclass(slots=True, frozen=True)
class FileRow:
    """What one job found in its file; `error` is "" if it could be read."""

    path: str
    attempts: int
    functions: int = 0
    classes: int = 0
    lines: int = 0
    sha256: str = ""
    error: str = ""


@dataclass(slots=True, frozen=True)
class Run:
    """One demo run: all files of `source`. `token` makes the jids of its jobs."""

    number: int
    token: str
    source: str
    note: str
    is_resumed: bool


@dataclass(slots=True, frozen=True)
class Progress:
    """How far a run is. `is_summed_up`: its last job is done."""

    done: int
    failed: int
    total: int
    is_summed_up: bool


@dataclass(slots=True, frozen=True)
class Totals:
    """What the last job of a run wrote. `retried` counts runs after the first of a file."""

    files: int
    functions: int
    classes: int
    lines: int
    failed: int
    retried: int


class Results:
    """The open SQLite file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")  # readers and one writer at a time, without waiting
        self._db.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- for the jobs --------------------------------------------------------------------------------

    def save(self, run: int, row: FileRow) -> bool:
        """Write a row, over an older one of its path. Returns True if now no file of the run is without one.

        A row of another run, or of a file that is not in this run, is not written.
        """
        places = ", ".join("?" for _ in fields(FileRow))
        with self._transaction():
            if not self._is_current(run):
                return False
            self._db.execute(f"INSERT OR REPLACE INTO results VALUES ({places})", astuple(row))  # noqa: S608
            return self._missing_count() == 0

    def sum_up(self, run: int) -> None:
        """Write the totals of a run whose files all have their row; nothing happens if one has none."""
        with self._transaction():
            if self._is_current(run) and self._missing_count() == 0:
                self._db.execute(f"INSERT OR REPLACE INTO totals SELECT ?, {_SUMS} FROM results", (run,))  # noqa: S608

    def _is_current(self, run: int) -> bool:
        return self._one("SELECT max(id) FROM runs")[0] == run

    def _missing_count(self) -> int:
        return int(self._one("SELECT count(*) FROM files WHERE path NOT IN (SELECT path FROM results)")[0])

    # -- for the command -----------------------------------------------------------------------------

    def create(self) -> None:
        """Make the tables if they are not there."""
        self._db.executescript(_SCHEMA)

    def unfinished(self, source: str) -> Run | None:
        """The latest run, if it read `source` and has not come to its end."""
        row = self._db.execute("SELECT id, token, source, note, ended FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        if row is None or row[4] or row[2] != source:
            return None
        return Run(row[0], row[1], row[2], row[3], is_resumed=True)

    def begin(self, source: str, note: str, paths: Iterable[str]) -> Run:
        """Start a new run over `paths`. The rows of the run before go."""
        token = secrets.token_hex(8)
        with self._transaction():
            self._db.execute("DELETE FROM files")
            self._db.execute("DELETE FROM results")
            self._db.executemany("INSERT INTO files (place, path) VALUES (?, ?)", enumerate(paths))
            cursor = self._db.execute(
                "INSERT INTO runs (token, source, note, began_at) VALUES (?, ?, ?, ?)",
                (token, source, note, time.time()),
            )
        assert cursor.lastrowid is not None
        return Run(cursor.lastrowid, token, source, note, is_resumed=False)

    def missing(self) -> list[str]:
        """The files of the latest run that have no row yet, in their order."""
        rows = self._db.execute("SELECT path FROM files WHERE path NOT IN (SELECT path FROM results) ORDER BY place")
        return [row[0] for row in rows]

    def progress(self, run: Run) -> Progress:
        """How far the run is."""
        done, failed = self._one("SELECT count(*), coalesce(sum(error != ''), 0) FROM results")
        total = self._one("SELECT count(*) FROM files")[0]
        return Progress(int(done), int(failed), int(total), self.totals(run) is not None)

    def totals(self, run: Run) -> Totals | None:
        """What SumUp wrote, None if it has not run."""
        row = self._db.execute(
            "SELECT files, functions, classes, lines, failed, retried FROM totals WHERE run = ?", (run.number,)
        ).fetchone()
        return None if row is None else Totals(*row)

    def largest(self, count: int) -> list[FileRow]:
        """The files with the most functions."""
        rows = self._db.execute("SELECT * FROM results ORDER BY functions DESC, path LIMIT ?", (count,))
        return [FileRow(*row) for row in rows]

    def errors(self) -> Mapping[str, str]:
        """Path to error, for each file that could not be read."""
        return dict(self._db.execute("SELECT path, error FROM results WHERE error != '' ORDER BY path").fetchall())

    def add_time(self, run: Run, seconds: float) -> float:
        """Add to the time spent on a run, and return it."""
        self._db.execute("UPDATE runs SET busy_s = busy_s + ? WHERE id = ?", (seconds, run.number))
        return float(self._one("SELECT busy_s FROM runs WHERE id = ?", run.number)[0])

    def end(self, run: Run) -> None:
        """Mark the run as ended."""
        self._db.execute("UPDATE runs SET ended = 1 WHERE id = ?", (run.number,))

    def _one(self, query: str, *args: object) -> tuple[int, ...]:
        row: tuple[int, ...] = self._db.execute(query, args).fetchone()
        return row


@contextmanager
def open_results() -> Generator[Results]:
    """The results file that the environment names, open for the length of the block."""
    results = Results(Path(os.environ[PATH_VARIABLE]))
    try:
        yield results
    finally:
        results.close()
