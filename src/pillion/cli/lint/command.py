"""`pillion lint`: the rules of good jobs, checked in the source."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click

from pillion.cli.lint.check import REASON, SYNTAX, Finding, check_file
from pillion.cli.lint.files import python_files
from pillion.cli.lint.rules import RULES

EXIT_FOUND = 1
CODES: Mapping[str, str] = MappingProxyType(
    {code: rule.summary for code, rule in RULES.items()}
    | {REASON: "a disable comment without a reason", SYNTAX: "a file that cannot be read or parsed"}
)
EPILOG = "\b\nRules:\n" + "\n".join(f"  {code:<11} {summary}" for code, summary in CODES.items())


def read_codes(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> frozenset[str]:
    """The codes in ("PL-REF,PL-NAME", "PL-LIST"). Raises BadParameter with the nearest for an unknown one."""
    codes = [code.strip() for value in values for code in value.split(",")]
    for code in codes:
        if code not in CODES:
            near = difflib.get_close_matches(code.upper(), CODES)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(CODES)}."
            raise click.BadParameter(f"there is no rule {code!r}. {hint}")
    return frozenset(codes)


def choose_codes(select: frozenset[str], ignore: frozenset[str]) -> frozenset[str]:
    """What to report. A file that cannot be parsed always is, unless it is ignored by name: it was not checked."""
    return (select | {SYNTAX} if select else frozenset(CODES)) - ignore


@click.command("lint", epilog=EPILOG)
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--select", metavar="CODES", multiple=True, callback=read_codes, help="Only these: PL-REF,PL-NAME.")
@click.option("--ignore", metavar="CODES", multiple=True, callback=read_codes, help="All but these.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the report (text)."
)
def command(paths: tuple[Path, ...], select: frozenset[str], ignore: frozenset[str], form: str) -> None:
    """Check the jobs in PATHS (files and folders; this folder if there are none) against the rules of good jobs.

    The files are parsed and never imported. Exits with 1 if anything is found, with 0 if not.

    \b
    Examples:
      pillion lint
      pillion lint shop/jobs.py shop/mail --ignore PL-NAME
      pillion lint src --format json
    """
    codes = choose_codes(select, ignore)
    files = python_files(paths or (Path(),))
    findings = [finding for file in files for finding in check_file(file, codes)]
    _print(findings, form)
    click.echo(summary(len(findings), len(files)), err=True)
    sys.exit(EXIT_FOUND if findings else 0)


def summary(found: int, files: int) -> str:
    """The last line, for people: "2 problems in 14 files.\""""
    if not files:
        return "There are no Python files here, so nothing was checked."
    problems = "No problem" if not found else "1 problem" if found == 1 else f"{found} problems"
    return f"{problems} in {'1 file' if files == 1 else f'{files} files'}."


def _print(findings: Sequence[Finding], form: str) -> None:
    if form == "json":
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings], indent=2))
        return
    for finding in findings:
        click.echo(str(finding))
