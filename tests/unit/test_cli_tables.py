"""Tables and numbers for people."""

from __future__ import annotations

import pytest
from rich.console import Console

from pillion.cli.tables import Column, clean, duration, memory, number, plain_table, print_table, rich_table

COLUMNS = (Column("Queue"), Column("Size", right=True), Column("Note"))


def test_a_plain_table_is_aligned_and_has_no_spaces_at_the_end_of_a_line():
    rows = [("default", "1,203", ""), ("q", "7", "paused")]
    assert plain_table(COLUMNS, rows).splitlines() == [
        "QUEUE     SIZE  NOTE",
        "default  1,203",
        "q            7  paused",
    ]


def test_a_table_without_rows_has_its_titles():
    assert plain_table(COLUMNS, []) == "QUEUE  SIZE  NOTE"


def test_wide_signs_take_two_columns_and_combining_marks_none():
    rows = [("列", "1", "x"), ("e\u0301", "2", "y"), ("ab", "3", "z")]
    assert plain_table((Column("q"), *COLUMNS[1:]), rows).splitlines()[1:] == [
        "列     1  x",
        "e\u0301      2  y",
        "ab     3  z",
    ]


def test_what_could_command_a_terminal_is_replaced():
    assert clean("a\x1b[31mb\r\n\x9bc\u2028\ud800") == "a�[31mb���c��"
    assert clean("paid\u202egnihton\u2066") == "paid�gnihton�"
    assert "\x1b" not in plain_table(COLUMNS, [("\x1b]0;title\x07", "1", "")])


def test_a_name_is_no_markup_in_a_terminal():
    console = Console(width=60, color_system=None)
    with console.capture() as capture:
        console.print(rich_table(COLUMNS, [("[red]x[/red]", "1", "\x1b[2J")]))
    assert "[red]x[/red]" in capture.get()
    assert "\x1b" not in capture.get()


def test_a_narrow_terminal_folds_what_need_not_be_whole():
    columns = (Column("Process", whole=True), Column("Queues"), Column("Busy", right=True))
    console = Console(width=46, color_system=None)
    with console.capture() as capture:
        console.print(rich_table(columns, [("app-1:4711:0123456789ab", "critical, default, low", "3/10")]))
    lines = capture.get().splitlines()
    assert all(len(line) <= 46 for line in lines)
    assert any("app-1:4711:0123456789ab" in line and "3/10" in line for line in lines)
    assert sum("default" in line or "critical" in line for line in lines) == 2


def test_a_pipe_gets_plain_columns(capsys):
    print_table(COLUMNS, [("default", "1", "")])
    assert capsys.readouterr().out == "QUEUE    SIZE  NOTE\ndefault     1\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-1, "0.0s"),
        (0, "0.0s"),
        (0.25, "0.2s"),
        (9.99, "10.0s"),
        (59.9, "59s"),
        (60, "1m"),
        (125, "2m 5s"),
        (3600, "1h"),
        (3725, "1h 2m"),
        (3605, "1h"),
        (90_000, "1d 1h"),
        (86_460, "1d"),
        (40 * 86_400, "40d"),
        (float("inf"), "-"),
        (float("nan"), "-"),
        (1e300, "-"),
    ],
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("kib", "text"), [(None, "-"), (0, "0 KiB"), (1023, "1023 KiB"), (26928, "26.3 MiB"), (3 * 1024**2, "3.0 GiB")]
)
def test_memory_has_a_unit_that_fits(kib, text):
    assert memory(kib) == text


def test_numbers_have_separators():
    assert (number(0), number(1234567)) == ("0", "1,234,567")
