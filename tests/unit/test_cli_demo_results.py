"""The demo's SQLite file: one row for each file, whatever runs twice or dies in between."""

from __future__ import annotations

import pytest

from pillion.cli.demo.results import FileRow, Progress, Results, Totals


@pytest.fixture
def results(tmp_path):
    made = Results(tmp_path / "results.sqlite3")
    made.create()
    yield made
    made.close()


@pytest.fixture
def run(results):
    return results.begin("/src", "", ["a.py", "b.py"])


def row(path: str, **changes) -> FileRow:
    return FileRow(path, **{"attempts": 1, "functions": 2, "classes": 1, "lines": 10, "sha256": "x", **changes})


class TestSave:
    def test_only_the_last_row_of_a_run_is_the_last(self, results, run):
        assert [results.save(run.number, row(path)) for path in ("a.py", "b.py")] == [False, True]

    def test_a_job_that_runs_again_leaves_one_row(self, results, run):
        results.save(run.number, row("a.py", lines=1))
        results.save(run.number, row("a.py", lines=2))
        assert results.progress(run).done == 1
        assert results.largest(9) == [row("a.py", lines=2)]

    def test_a_last_job_that_runs_again_is_the_last_again(self, results, run):
        results.save(run.number, row("a.py"))
        results.save(run.number, row("b.py"))
        assert results.save(run.number, row("b.py"))

    def test_a_job_of_an_earlier_run_writes_nothing(self, results, run):
        later = results.begin("/src", "", ["a.py"])
        assert not results.save(run.number, row("a.py"))
        assert results.progress(later).done == 0


class TestSumUp:
    def test_adds_up_all_rows(self, results, run):
        results.save(run.number, row("a.py"))
        results.save(run.number, FileRow("b.py", attempts=2, error="SyntaxError: no"))
        results.sum_up(run.number)
        assert results.totals(run) == Totals(files=2, functions=2, classes=1, lines=10, failed=1, retried=1)
        assert results.progress(run) == Progress(done=2, failed=1, total=2, is_summed_up=True)

    def test_does_nothing_while_a_row_is_missing(self, results, run):
        results.save(run.number, row("a.py"))
        results.sum_up(run.number)
        assert results.totals(run) is None

    def test_twice_is_as_once(self, results, run):
        for path in ("a.py", "b.py"):
            results.save(run.number, row(path))
        results.sum_up(run.number)
        results.sum_up(run.number)
        assert results.totals(run).files == 2

    def test_of_an_earlier_run_does_not_end_the_new_one(self, results, run):
        later = results.begin("/src", "", ["a.py"])
        results.save(later.number, row("a.py"))
        results.sum_up(run.number)
        assert results.totals(later) is None


class TestRuns:
    def test_one_that_was_stopped_goes_on(self, results, run):
        results.save(run.number, row("a.py"))
        again = results.unfinished("/src")
        assert (again.number, again.token, again.is_resumed) == (run.number, run.token, True)
        assert results.missing() == ["b.py"]

    def test_one_over_another_folder_does_not(self, results, run):
        assert results.unfinished("/other") is None

    def test_one_that_has_ended_does_not(self, results, run):
        results.end(run)
        assert results.unfinished("/src") is None

    def test_there_is_none_at_first(self, results):
        assert results.unfinished("/src") is None

    def test_a_new_one_clears_the_rows_of_the_last(self, results, run):
        results.save(run.number, row("a.py"))
        later = results.begin("/src", "", ["a.py"])
        assert results.progress(later) == Progress(done=0, failed=0, total=1, is_summed_up=False)
        assert later.token != run.token

    def test_its_time_adds_up(self, results, run):
        results.add_time(run, 1.5)
        assert results.add_time(run, 2.0) == 3.5
