"""What the demo prints in a pipe, and its report."""

from __future__ import annotations

from pathlib import Path

from pillion.cli.demo.results import FileRow, Progress, Totals
from pillion.cli.demo.screen import Lines, Report, report_text


def test_a_pipe_gets_one_line_for_each_tenth(capsys):
    screen = Lines()
    for done in range(51):
        screen.show(Progress(done=done, failed=2, total=50, is_summed_up=False))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0] == "    0 %  0 of 50 files, 2 failed"
    assert lines[-1] == "  100 %  50 of 50 files, 2 failed"


def test_the_report_tells_what_ran_failed_and_was_retried_and_how_to_look_further():
    report = Report(
        totals=Totals(files=1790, functions=58_754, classes=13_116, lines=857_247, failed=1, retried=2),
        seconds=10.0,
        dead={"/src/test/bad.py": (2, "SyntaxError: no\nway " + "x" * 200)},
        largest=[FileRow("/src/os.py", attempts=1, functions=99)],
        source=Path("/src"),
        folder=Path("/data"),
        jobs_file=Path("/lib/demo_app.py"),
    )
    text = report_text(report)
    assert text.startswith("Done: 1,790 files in 10.0 s, 179 a second.")
    assert "1,789 read      857,247 lines, 58,754 functions, 13,116 classes" in text
    assert "    2 retried" in text
    assert "    1 failed" in text
    assert "    test/bad.py  (run 2 times)\n        SyntaxError: no way x" in text
    assert "    99 os.py" in text
    assert "/data/worker.log" in text
    assert "/lib/demo_app.py" in text
    assert max(map(len, text.splitlines())) < 120
