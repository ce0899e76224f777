"""`pillion doctor`: is this fleet well, and what to do if not."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pillion.cli.redis_options import open_fleet, redis_options
from pillion.cli.tables import clean

if TYPE_CHECKING:
    from pillion.api.doctor import Finding

EXIT_FAIL = 2

# A sign, a word and a colour for each level: the word alone is enough.
_SIGNS = {"ok": ("✓", "ok", "green"), "warn": ("!", "warn", "yellow"), "fail": ("✗", "FAIL", "red")}
_ASCII = {"ok": "+", "warn": "!", "fail": "x"}
_INDENT = " " * 21
_WIDTH = 110


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--strict", is_flag=True, help="Exit with 2 for warnings too.")
@redis_options
def command(*, as_json: bool, strict: bool, config_file: str | None, environment: str | None) -> None:
    """Examine the Redis, the workers and the queues, and say what to do.

    Looks at settings that lose jobs (eviction, persistence), at memory, connections, latency and clock,
    at keys of others in the same Redis, at workers that are missing, queues nobody serves, and jobs in
    the hands of dead processes. Changes nothing.

    Exit code 0: no failure; 2: at least one (with --strict: or a warning); 1: the settings are wrong.

    \b
    Examples:
      pillion doctor
      pillion doctor --strict --json
    """
    from pillion.api.doctor import Doctor, worst

    with open_fleet(config_file, environment) as fleet:
        findings = Doctor(fleet=fleet).examine()
    level = worst(findings)
    if as_json:
        click.echo(json.dumps({"level": level, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        click.echo(checklist(findings, fancy=_takes_signs(sys.stdout.encoding)))
    sys.exit(EXIT_FAIL if level == "fail" or (strict and level == "warn") else 0)


def checklist(findings: Sequence[Finding], *, fancy: bool = True) -> str:
    """The findings as lines, and a last one that counts them. `fancy`: with signs beyond ASCII."""
    lines: list[str] = []
    for finding in findings:
        sign, word, colour = _SIGNS[finding.level]
        mark = f"{sign if fancy else _ASCII[finding.level]} {word}"
        head = f"{mark:<6}  {finding.name:<12} "
        what, *rest = _wrapped(finding.what_is, head)
        lines += [click.style(what[:6], fg=colour) + what[6:], *rest]
        for text in (finding.why_it_matters, finding.cure and f"-> {finding.cure}"):
            lines += _wrapped(text, _INDENT)
    return "\n".join([*lines, "", summary(findings)])


def _wrapped(text: str, head: str) -> list[str]:
    """Lines of `text`, the first behind `head`. Words stay whole: commands and keys are copied from here."""
    return textwrap.wrap(
        clean(text),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def summary(findings: Sequence[Finding]) -> str:
    """One line: how many of each."""
    count = {level: sum(finding.level == level for finding in findings) for level in _SIGNS}
    if not count["warn"] and not count["fail"]:
        return f"All checks are ok ({len(findings)})."
    parts = [f"{count['fail']} failed", _plural(count["warn"], "warning"), f"{count['ok']} ok"]
    return f"{', '.join(parts)}."


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _takes_signs(encoding: str | None) -> bool:
    """Whether the signs can be printed at all."""
    try:
        "✓✗".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
