"""The jobs of `pillion demo`, and an example: this is what the job module of an app looks like.

`pillion run pillion.cli.demo.app -q demo` loads this file and runs these two jobs. They take plain
arguments, they may run twice without harm, and they let errors out: Pillion retries, and in the end
gives up and says so. Those three habits are most of what a job needs.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

from pillion import Job
from pillion.cli.demo.results import FileRow, open_results


class CountFile(Job, queue="demo", retry=1):
    """Read one Python file, count what is in it, and write that down as one row."""

    def perform(self, run: int, path: str) -> None:
        """Parse the file at `path`, which belongs to the demo run number `run`."""
        source = Path(path).read_bytes()
        tree = ast.parse(source, path)  # some files are broken on purpose: this raises, and the job is retried
        kinds = [type(node) for node in ast.walk(tree)]
        row = FileRow(
            path,
            attempts=self.attempt + 1,
            functions=kinds.count(ast.FunctionDef) + kinds.count(ast.AsyncFunctionDef),
            classes=kinds.count(ast.ClassDef),
            lines=source.count(b"\n"),
            sha256=hashlib.sha256(source).hexdigest(),
        )
        write_row(run, row)

    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, Any]) -> int:  # noqa: ARG004
        """Seconds until the next try. Usually one leaves this out: it starts with 15 s and grows to days."""
        return 1

    @staticmethod
    def on_retries_exhausted(payload: dict[str, Any], exc: BaseException) -> None:
        """Called when Pillion gives up: the job goes to the dead set, where one can look at it."""
        run, path = payload["args"]
        write_row(run, FileRow(path, attempts=payload["retry_count"] + 1, error=f"{type(exc).__name__}: {exc}"))


class SumUp(Job, queue="demo"):
    """Add up all the rows. The last file pushes this job: a job may push another."""

    def perform(self, run: int) -> None:
        """Write the totals of the demo run number `run`."""
        with open_results() as results:
            results.sum_up(run)


def write_row(run: int, row: FileRow) -> None:
    """Save a row. Whoever writes the last one pushes SumUp.

    If this process dies between the two lines, its job runs again and does both again. That is why the
    row is written under its path, over an older one, and why it does no harm to add up twice.
    """
    with open_results() as results:
        is_last = results.save(run, row)
    if is_last:
        SumUp.perform_async(run)
