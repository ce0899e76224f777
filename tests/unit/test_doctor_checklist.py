"""How the findings of doctor look, on a terminal and without colours."""

import click
import pytest

from pillion.api.doctor import Finding
from pillion.cli.doctor import checklist, summary

OK = Finding("ok", "role", "primary")
WARN = Finding("warn", "clock", "here and Redis differ by 2.00 s", "Jobs run late.", "Run NTP.")
FAIL = Finding("fail", "eviction", "maxmemory-policy allkeys-lru", "Queues are thrown away.", "Set noeviction.")


def plain(findings, **options):
    return click.unstyle(checklist(findings, **options)).splitlines()


def test_each_finding_has_a_sign_and_a_word():
    assert plain([OK, WARN, FAIL]) == [
        "✓ ok    role         primary",
        "! warn  clock        here and Redis differ by 2.00 s",
        "                     Jobs run late.",
        "                     -> Run NTP.",
        "✗ FAIL  eviction     maxmemory-policy allkeys-lru",
        "                     Queues are thrown away.",
        "                     -> Set noeviction.",
        "",
        "1 failed, 1 warning, 1 ok.",
    ]


def test_names_from_redis_command_no_terminal():
    lines = checklist([Finding("warn", "paused", "paused: a\x1b]0;b\x07\nc", "", "d\x9b")], fancy=False).splitlines()
    assert click.unstyle(lines[0]) == "! warn  paused       paused: a�]0;b��c"
    assert lines[1].strip() == "-> d�"


def test_signs_can_be_ascii():
    text = "\n".join(plain([OK, WARN, FAIL], fancy=False))
    assert text.isascii()
    assert [line[:6] for line in text.splitlines() if line[:1] in "+!x" and line] == ["+ ok  ", "! warn", "x FAIL"]


def test_long_lines_are_wrapped_under_their_text_and_words_stay_whole():
    command = "redis://a-very-long-host-name.internal.example.org:6379/0"
    lines = plain([Finding("fail", "connection", f"{'many words ' * 9}{command}", f"{'more words ' * 12}{command}")])
    assert all(len(line) <= 110 for line in lines)
    assert all(line.startswith(" " * 21) for line in lines[1:-2])
    assert sum(line.endswith(command) for line in lines) == 2


@pytest.mark.parametrize(
    ("findings", "line"),
    [
        ([OK], "All checks are ok (1)."),
        ([OK, WARN, WARN], "0 failed, 2 warnings, 1 ok."),
        ([FAIL], "1 failed, 0 warnings, 0 ok."),
    ],
)
def test_the_last_line_counts(findings, line):
    assert summary(findings) == line
